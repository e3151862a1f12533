"""The platform with one more listener, whose effects can be counted."""

from apps.core import accesses
from salesplatform.settings.local import *  # noqa: F403

INSTALLED_APPS += ["tests.faults"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Long enough, and what is written is written because the process ends.
accesses.EVERY_SECONDS = env.float("ACCESS_LOG_SECONDS", default=0.5)  # noqa: F405
