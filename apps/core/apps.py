from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "System"

    def ready(self) -> None:
        # They declare what others look up.
        from apps.core import idempotency, querysets  # noqa: F401
        from apps.core.imports import retention  # noqa: F401

        # Every app's declarations and subscribers are known before the first request.
        autodiscover_modules("permissions")
        autodiscover_modules("events")
        autodiscover_modules("handlers")
        autodiscover_modules("fields")
        autodiscover_modules("personal_data")
        autodiscover_modules("services.retention")
