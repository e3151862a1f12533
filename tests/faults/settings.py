"""The platform with one more listener, whose effects can be counted."""

from salesplatform.settings.local import *  # noqa: F403

INSTALLED_APPS += ["tests.faults"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
