"""The web server's entry."""

import os

from django.core.wsgi import get_wsgi_application

from salesplatform.celery import app as celery_application  # noqa: F401  tasks use this broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")

application = get_wsgi_application()
