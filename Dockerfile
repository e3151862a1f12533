# One image for every process. The web server is the default; another is its command:
#   docker run … salesplatform python manage.py migrate
#   docker run … --no-healthcheck salesplatform celery -A salesplatform worker --pool prefork
#   docker run … --no-healthcheck salesplatform celery -A salesplatform beat
#   docker run … --no-healthcheck salesplatform python manage.py deliver_events
#   docker run … --no-healthcheck salesplatform python manage.py relay
#   docker run … --no-healthcheck salesplatform python manage.py receive
#   docker run … --no-healthcheck salesplatform python manage.py webhooks
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
WORKDIR /app
COPY requirements requirements
RUN python -m venv /opt/uv \
 && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt
RUN python -m venv --without-pip /opt/venv \
 && /opt/uv/bin/uv pip sync --python /opt/venv/bin/python --no-cache --link-mode copy \
    --compile-bytecode --require-hashes requirements/production.txt
COPY . .
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(48))')" \
    JWT_SIGNING_KEYS="$(/opt/venv/bin/python -c \
        'from apps.users.rules.signing import fresh_key; print(fresh_key())')" \
    SEALING_KEY="$(python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())')" \
    ENCRYPTION_KEYS="1:$(python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())')" \
    BLIND_INDEX_KEY="$(python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())')" \
    DJANGO_SETTINGS_MODULE=salesplatform.settings.production \
    /opt/venv/bin/python manage.py collectstatic --no-input \
 && /opt/venv/bin/python -m compileall -q apps salesplatform

FROM python:${PYTHON}-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /app \
    --shell /usr/sbin/nologin salesplatform \
 && install -d -o salesplatform -g salesplatform /var/lib/salesplatform
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=salesplatform.settings.production \
    DATA_DIR=/var/lib/salesplatform \
    GRANIAN_INTERFACE=wsgi \
    GRANIAN_HOST=0.0.0.0 \
    GRANIAN_PORT=8000 \
    GRANIAN_WORKERS=2 \
    GRANIAN_BLOCKING_THREADS=1 \
    GRANIAN_WEBSOCKETS=false \
    GRANIAN_RESPAWN_FAILED_WORKERS=true
USER salesplatform
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"GRANIAN_PORT\"]}/health', timeout=4)"]
CMD ["granian", "salesplatform.wsgi:application"]
