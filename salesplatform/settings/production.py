"""Production. Refuses to start with what is only fit for a single machine."""

import base64

import environ
from django.core.exceptions import ImproperlyConfigured

from apps.core.encryption import ring
from apps.users.rules.signing import KeyRing
from salesplatform.settings.base import *  # noqa: F403
from salesplatform.settings.base import (
    BLIND_INDEX_KEY,
    ENCRYPTION_KEYS,
    ENCRYPTION_KMS_KEY,
    JWT_SIGNING_KEYS,
    SEALING_KEY,
    SECRET_KEY,
)

DEMO_ALLOWED = False
SECOND_FACTOR_ROLES = environ.Env().list("SECOND_FACTOR_ROLES", default=["admin"])

if len(SECRET_KEY) < 40 or "production-refuses" in SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY must be set to at least 40 random characters.")
try:
    KeyRing.of(JWT_SIGNING_KEYS)
except ValueError as failure:
    raise ImproperlyConfigured(f"JWT_SIGNING_KEYS: {failure}.") from None
try:
    if len(base64.b64decode(SEALING_KEY, validate=True)) != 32:
        raise ValueError
except ValueError:
    raise ImproperlyConfigured("SEALING_KEY must be 32 random bytes in base64.") from None
# What KMS encrypted can be looked into only when it is needed.
for name, kept, check in (
    ("ENCRYPTION_KEYS", ENCRYPTION_KEYS, ring.KeyRing.of),
    ("BLIND_INDEX_KEY", BLIND_INDEX_KEY, ring.key_of),
):
    try:
        if not (ENCRYPTION_KMS_KEY and kept):
            check(kept)
    except ValueError as failure:
        raise ImproperlyConfigured(f"{name}: {failure}.") from None
if environ.Env().bool("DEBUG", default=False):
    raise ImproperlyConfigured("DEBUG is not for production.")

SECURE_SSL_REDIRECT = environ.Env().bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^health$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# Browsers take cookies of these names from this host alone, and over TLS alone.
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = environ.Env().list("CSRF_TRUSTED_ORIGINS", default=[])
