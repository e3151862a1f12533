from django.apps import AppConfig


class CommissionsConfig(AppConfig):
    name = "apps.commissions"
    verbose_name = "Commissions"
