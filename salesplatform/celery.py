"""The Celery application: long jobs and the clock. Event handlers do not run here."""

import os

from celery import Celery
from celery.signals import worker_process_shutdown

from apps.core.accesses import access_log

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")

app = Celery("salesplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_shutdown.connect
def write_accesses(**_: object) -> None:
    """Processes of a pool end without the interpreter's own farewell."""
    access_log.finish()
