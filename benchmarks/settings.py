"""The platform as `make run` runs it, on a database of the benchmark's own."""

from salesplatform.settings.local import *  # noqa: F403

DEBUG = False
