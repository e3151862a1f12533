"""The web server's entry."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")
# Jobs take as long as they need; nobody waits that long for a page.
os.environ.setdefault("STATEMENT_TIMEOUT", "30")

# Requests hand work to the workers: their tasks need the application with our broker.
import salesplatform.celery  # noqa: E402, F401

application = get_wsgi_application()

from salesplatform.demo.company import refuse_demo_people  # noqa: E402  needs the apps

refuse_demo_people()
