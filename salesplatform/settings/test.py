"""Test runs: the same as a single machine, with throw-away servers and cheap password hashes."""

from apps.users.rules.signing import fresh_key
from salesplatform.settings.local import *  # noqa: F403

SECRET_KEY = "test-only-secret-key-that-production-refuses"  # noqa: S105
JWT_SIGNING_KEYS = fresh_key()
ALLOWED_HOSTS = ["*"]
AMQP_URL = ""
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
# Tests of transactions empty every table afterwards, those that are written once too.
DATABASES["default"]["OPTIONS"]["options"] += " -c salesplatform.may_truncate=yes"  # noqa: F405
