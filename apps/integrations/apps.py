from django.apps import AppConfig
from django.conf import settings


class IntegrationsConfig(AppConfig):
    name = "apps.integrations"
    verbose_name = "Integrations"

    def ready(self) -> None:
        from apps.core.api.system import watch_over
        from apps.integrations.services.deliveries import check_webhooks
        from apps.integrations.services.relay import check_relay

        watch_over("webhooks", check_webhooks)
        if settings.AMQP_URL:
            watch_over("bus", check_relay)
