from django.apps import AppConfig


class CustomerSuccessConfig(AppConfig):
    name = "apps.customer_success"
    verbose_name = "Customer success"
