from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "System"

    def ready(self) -> None:
        from apps.core import querysets  # noqa: F401  registers the lookup `any`

        # Every app's declarations and subscribers are known before the first request.
        autodiscover_modules("permissions")
        autodiscover_modules("events")
        autodiscover_modules("handlers")
