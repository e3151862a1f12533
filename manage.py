#!/usr/bin/env python
"""Django's command line for the sales platform."""

import os
import signal
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesplatform.settings.local")

# Commands hand work to the workers: their tasks need the application with our broker.
import salesplatform.celery  # noqa: E402, F401

if __name__ == "__main__":
    # Being told to stop is an end like any other: what waits to be written is written.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    execute_from_command_line(sys.argv)
