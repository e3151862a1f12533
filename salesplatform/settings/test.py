"""Test runs: the same as a single machine, with throw-away servers and cheap password hashes."""

from salesplatform.settings.local import *  # noqa: F403

SECRET_KEY = JWT_SECRET = "test-only-secret-key-that-production-refuses"  # noqa: S105
SIMPLE_JWT["SIGNING_KEY"] = JWT_SECRET  # noqa: F405
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
# Tests of transactions empty every table afterwards, those that are written once too.
DATABASES["default"]["OPTIONS"]["options"] = "-c salesplatform.may_truncate=yes"  # noqa: F405
