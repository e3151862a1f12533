"""Settings that hold everywhere. Infrastructure comes from the environment (12-factor)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from celery.schedules import crontab
from django.templatetags.static import static
from django.urls import reverse_lazy

from salesplatform.logs import logging_configuration

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.FileAwareEnv()

SECRET_KEY = env("SECRET_KEY", default="")
# RSA private keys in PEM, one after the other: the first signs tokens, all of them verify.
JWT_SIGNING_KEYS = env("JWT_SIGNING_KEYS", default="")
JWT_KEY_FILE: Path | None = None  # where a single machine keeps a key of its own
TOKEN_ISSUER = env("TOKEN_ISSUER", default="salesplatform")
DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[])
# How many proxies of ours add to X-Forwarded-For before a request is here.
PROXIES_IN_FRONT = env.int("PROXIES_IN_FRONT", default=0)

# --- Apps -------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "salesplatform.back_office.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "graphene_django",
    "guardian",
    "django_celery_beat",
    "django_prometheus",
    "storages",
    "salesplatform",
    "apps.core",
    "apps.users",
    "apps.territories",
    "apps.catalog",
    "apps.accounts",
    "apps.leads",
    "apps.customer_success",
    "apps.opportunities",
    "apps.activities",
    "apps.quotas",
    "apps.contracts",
    "apps.intelligence",
    "apps.forecasts",
    "apps.commissions",
    "apps.integrations",
    "apps.privacy",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.middleware.RequestIdentity",
    "apps.core.middleware.FailureEnvelope",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.users.middleware.ActorOfSession",
    "apps.users.middleware.TimeZoneOfReader",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "salesplatform.urls"
WSGI_APPLICATION = "salesplatform.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Servers ----------------------------------------------------------------------------------
# After so many seconds PostgreSQL gives a statement up, and after a third of it waiting for a lock.
STATEMENT_TIMEOUT = env.int("STATEMENT_TIMEOUT", default=0)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db("DATABASE_URL", default="postgresql://salesplatform@127.0.0.1:5432/salesplatform"),
        "ENGINE": "apps.core.database",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "application_name": env("PROCESS_NAME", default="salesplatform"),
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT}s "
            f"-c lock_timeout={STATEMENT_TIMEOUT // 3}s "
            f"-c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT * 2}s",
            # Of those sent by `prepared_cursor`; poolers must keep them apart (PgBouncer does).
            "prepare_threshold": 3,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 8 * 3600  # from signing in, however busy the person is
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

STORAGES = {
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage"
        if env("AWS_STORAGE_BUCKET_NAME", default="")
        else "django.core.files.storage.FileSystemStorage"
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
AWS_STORAGE_BUCKET_NAME = env("AWS_STORAGE_BUCKET_NAME", default="")
AWS_S3_ENDPOINT_URL = env("AWS_ENDPOINT_URL", default=None)
MEDIA_ROOT = Path(env("DATA_DIR", default=str(BASE_DIR / "var"))) / "files"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# --- E-mail -----------------------------------------------------------------------------------
# smtp+tls://user:password@host:587; without it no e-mail leaves the platform.
vars().update(env.email_url_config(env("EMAIL_URL", default="") or "dummymail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", default="salesplatform@localhost")

# --- Celery: long jobs and the clock ----------------------------------------------------------
CELERY_BROKER_URL = env("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
if CELERY_BROKER_URL.startswith(("redis:", "rediss:")):
    # With Valkey's defaults the work of a killed worker comes back only after minutes.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
else:
    # Without confirmations a RabbitMQ that is killed loses what it was given.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
    CELERY_TASK_DEFAULT_QUEUE = "jobs"
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
    # What a lost connection gives to another worker is not carried on beside it.
    CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = env("ORGANISATION_TIME_ZONE", default="UTC")
CELERY_BEAT_SCHEDULE = {
    "nightly forecast": {
        "task": "apps.forecasts.tasks.compute_nightly_forecasts",
        "schedule": crontab(hour=6, minute=0),
    },
    "finance reports": {
        "task": "apps.forecasts.tasks.issue_finance_reports",
        "schedule": crontab(hour="7-23", minute="*/10"),
    },
    "learn scores": {
        "task": "apps.intelligence.tasks.learn_scores",
        "schedule": crontab(day_of_week="sun", hour=4, minute=0),
    },
    "drift of scores": {
        "task": "apps.intelligence.tasks.check_drift_of_scores",
        "schedule": crontab(hour=4, minute=30),
    },
    "suggestions": {
        "task": "apps.intelligence.tasks.suggest_about_open_deals",
        "schedule": crontab(hour=5, minute=0),
    },
    "suggestions about leads": {
        "task": "apps.intelligence.tasks.suggest_about_waiting_leads",
        "schedule": crontab(hour=5, minute=10),
    },
    "resume stalled jobs": {
        "task": "apps.core.tasks.resume_stalled_jobs",
        "schedule": timedelta(minutes=1),
    },
    "count moved activities": {
        "task": "apps.quotas.tasks.count_moved_activities",
        "schedule": timedelta(minutes=1),
    },
    "seal history": {
        "task": "apps.core.tasks.seal_history",
        "schedule": timedelta(minutes=1),
    },
    "months ahead": {
        "task": "apps.core.tasks.make_months_ahead",
        "schedule": crontab(hour=2, minute=50),
    },
    "forget what is old: system": {
        "task": "apps.core.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=10),
    },
    "forget what is old: people": {
        "task": "apps.users.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=15),
    },
    "forget what is old: privacy": {
        "task": "apps.privacy.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=25),
    },
    "forget what is old: forecasts": {
        "task": "apps.forecasts.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=20),
    },
    "forget what is old: intelligence": {
        "task": "apps.intelligence.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=35),
    },
    "forget what is old: integrations": {
        "task": "apps.integrations.tasks.forget_what_is_old",
        "schedule": crontab(hour=3, minute=30),
    },
    "pull from partners": {
        "task": "apps.integrations.tasks.pull",
        "schedule": timedelta(minutes=5),
    },
    "handle messages of partners": {
        "task": "apps.integrations.tasks.handle_due_messages",
        "schedule": timedelta(minutes=1),
    },
}

# --- Events for others ------------------------------------------------------------------------
# RabbitMQ to which `manage.py relay` hands events on; without it they stay here.
AMQP_URL = env("AMQP_URL", default="")
# Queues it makes for those who do not bind their own, each with what it is bound to.
AMQP_QUEUES: dict[str, list[str]] = env.json(
    "AMQP_QUEUES",
    default={
        "billing": ["partners.billing.#", "sales.contracts.#"],
        "operations": ["partners.operations.#"],
        "finance": [
            "partners.finance.#",
            "sales.forecasts.forecast.updated",
            "sales.commissions.#",
        ],
    },
)
# Hosts that webhooks and questions to partners may go to by http and inside the network.
WEBHOOK_LOCAL_HOSTS: list[str] = env.list("WEBHOOK_LOCAL_HOSTS", default=[])

# --- People and sign-in -----------------------------------------------------------------------
AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {
        "NAME": "apps.users.rules.passwords.MaximumLength",
        "OPTIONS": {"max_length": 128},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
]
# E-mail addresses are unique without case, by a constraint of our own.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
# Roles that may not come in without a second factor.
SECOND_FACTOR_ROLES: list[str] = env.list("SECOND_FACTOR_ROLES", default=[])
# OpenID Connect providers, as apps.users.rules.claims.Provider describes them.
SINGLE_SIGN_ON: list[dict[str, Any]] = env.json("SINGLE_SIGN_ON", default=[])
# What Prometheus shows at /metrics, which is closed without one.
METRICS_TOKEN: str | None = env("METRICS_TOKEN", default="")
# 32 bytes in base64: seals secrets at rest.
SEALING_KEY = env("SEALING_KEY", default="")
# The keys that wrap data keys: `2:base64 1:base64`, the first one in use, and the key of the blind
# indexes. With ENCRYPTION_KMS_KEY, the id of a key in AWS KMS, they stand as KMS encrypted them.
ENCRYPTION_KEYS = env("ENCRYPTION_KEYS", default="")
BLIND_INDEX_KEY = env("BLIND_INDEX_KEY", default="")
ENCRYPTION_KMS_KEY = env("ENCRYPTION_KMS_KEY", default="")
ENCRYPTION_CUSTODY = "apps.core.encryption.kms.unlocked" if ENCRYPTION_KMS_KEY else ""
SIMPLE_JWT = {
    "ALGORITHM": "RS256",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=8),
}

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.users.api.authentication.BearerToken",
        "apps.users.api.authentication.ApiKeyHeader",
        "apps.users.api.authentication.Session",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.bodies.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.api.envelope.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "salesplatform",
    "DESCRIPTION": "Leads, territories, opportunities and forecasts.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # All nouns at a glance; the operations of one when it is opened.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "filter": True},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api.schema.refuse_additions",
    ],
    "ENUM_NAME_OVERRIDES": {
        "LeadStatus": "apps.leads.models.Lead.Status",
        "JobStatus": "apps.core.models.Job.Status",
        "TerritoryType": "apps.territories.models.Territory.Type",
        "ContactType": "apps.accounts.models.Contact.Type",
        "ActivityType": "apps.activities.models.Activity.Type",
        "ImportModeAsked": "apps.core.api.imports.MODES",
        "ImportMode": "apps.core.imports.models.ImportedFile.Mode",
        "ResultStatus": [("done", "done"), ("refused", "refused")],
    },
}
GRAPHENE = {"SCHEMA": "salesplatform.schema.schema"}
GRAPHQL_EXPLORABLE = False  # introspection, the explorer and hints at names
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
# A plan of quotas sends what was read and what is typed for 200 people over the months of a year.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
IMPORT_MAX_BYTES = 200_000_000
INBOUND_MAX_BYTES = 262_144

# --- The organisation -------------------------------------------------------------------------
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["salesplatform.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
ORGANISATION_TIME_ZONE = env("ORGANISATION_TIME_ZONE", default="UTC")
FISCAL_YEAR_START_MONTH = env.int("FISCAL_YEAR_START_MONTH", default=1)
DEFAULT_CURRENCY = env("DEFAULT_CURRENCY", default="USD")
DEFAULT_COUNTRY = env("DEFAULT_COUNTRY", default="US")

# --- Back office ------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "salesplatform",
    "SITE_HEADER": "salesplatform",
    "SITE_SUBHEADER": "Sales operations",
    "SITE_SYMBOL": "monitoring",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")}
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "ACCOUNT": {
        "navigation": [{"title": "Second factor", "link": reverse_lazy("admin:second-factor")}]
    },
    "STYLES": [lambda request: static("back_office.css")],
    "SCRIPTS": [lambda request: static("back_office.js")],
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "salesplatform.back_office.navigation.sidebar",
    },
    "COMMAND": {"search_callback": "salesplatform.back_office.search.find"},
    "DASHBOARD_CALLBACK": "apps.core.admin.start_page.add_panels",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
}

LOGGING = logging_configuration(level=env("LOG_LEVEL", default="INFO"))
