"""The ceiling: the same server and database, and of Django nothing but one view."""

from salesplatform.settings.local import *  # noqa: F403

DEBUG = False
ROOT_URLCONF = "benchmarks.ceiling"
MIDDLEWARE = []
