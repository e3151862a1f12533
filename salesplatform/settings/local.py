"""A single machine: `make run`."""

import base64
from hashlib import sha256

from salesplatform.settings.base import *  # noqa: F403

SECRET_KEY = env("SECRET_KEY", default="local-only-secret-key-that-production-refuses")  # noqa: F405


def _made_for(purpose: str) -> str:
    return base64.b64encode(sha256(f"{purpose}{SECRET_KEY}".encode()).digest()).decode()


SEALING_KEY = SEALING_KEY or _made_for("")  # noqa: F405
ENCRYPTION_KEYS = ENCRYPTION_KEYS or f"1:{_made_for('encryption')}"  # noqa: F405
BLIND_INDEX_KEY = BLIND_INDEX_KEY or _made_for("blind index")  # noqa: F405
JWT_KEY_FILE = MEDIA_ROOT.parent / "token-key.pem"  # noqa: F405
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])  # noqa: F405
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
STATIC_ROOT = None  # type: ignore[assignment]  # served from where the apps keep them
WHITENOISE_USE_FINDERS = True
DEMO_ALLOWED = True
METRICS_TOKEN = METRICS_TOKEN or None  # noqa: F405
GRAPHQL_EXPLORABLE = True
AUTH_PASSWORD_VALIDATORS = []  # the demo sign-ins have a short password
