"""The Celery application: long jobs and the clock. Event handlers do not run here."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")

app = Celery("salesplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
