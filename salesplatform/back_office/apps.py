from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    """Django's admin with our own site."""

    default = False
    default_site = "salesplatform.back_office.site.BackOffice"
