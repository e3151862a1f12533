"""`/jobs`, `/health` and `/metrics`: how the platform itself is doing."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView
from rest_framework import serializers

from apps.core.accesses import access_log
from apps.core.actors import Actor
from apps.core.api.endpoint import Endpoint, operation
from apps.core.api.envelope import json_response
from apps.core.cache import shared_cache
from apps.core.jobs import cancel_job, job_visible_to
from apps.core.models import Job
from apps.core.partitions import troubles
from apps.core.rate_limits import rate_limiter

LONG_BEHIND_SECONDS = 30


class JobAnswer(serializers.Serializer):
    """How far long work has come."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(Job.Status.choices)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    total = serializers.IntegerField(allow_null=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    errors = serializers.ListField(child=serializers.DictField())
    message = serializers.CharField()


def job_answer(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.pk,
        "kind": job.kind,
        "status": job.status,
        "progress": job.progress,
        "total": job.total,
        "succeeded": job.succeeded,
        "failed": job.failed,
        "errors": job.errors,
        "message": job.message,
    }


class JobItem(Endpoint):
    """`/jobs/{job_id}`."""

    @operation(summary="How far long work has come", answer=JobAnswer, tags=("jobs",))
    def get(self, actor: Actor, job_id: UUID) -> dict[str, Any]:
        return job_answer(job_visible_to(actor, job_id))


class JobCancellation(Endpoint):
    """`/jobs/{job_id}/cancel`."""

    @operation(summary="Stop long work after the step at hand", answer=JobAnswer, tags=("jobs",))
    def post(self, actor: Actor, job_id: UUID) -> dict[str, Any]:
        return job_answer(cancel_job(job_id=job_id, actor=actor))


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _valkey() -> None:
    if not shared_cache.client.ping():
        raise ConnectionError


def _rate_limits() -> None:
    """Down where each process counts for itself."""
    if not rate_limiter.is_shared:
        raise ConnectionError


def _months() -> None:
    if troubles():
        raise LookupError


def _accesses() -> None:
    """Down where this process can't write its part of the access log."""
    if access_log.seconds_behind > LONG_BEHIND_SECONDS:
        raise ConnectionError


_COMPONENTS: dict[str, tuple[Callable[[], None], bool]] = {
    "database": (_database, True),
    "valkey": (_valkey, False),
    "rate limits": (_rate_limits, False),
    "months": (_months, False),
    "access log": (_accesses, False),
}


def watch_over(name: str, check: Callable[[], None]) -> None:
    """Tell about one more component, which others can do without. Called once, at start."""
    _COMPONENTS[name] = (check, False)


def health(request: HttpRequest) -> HttpResponse:
    """`GET /health`: alive, and ready per component. 503 when a needed one is away."""
    components: dict[str, dict[str, Any]] = {}
    ready = True
    for name, (check, is_needed) in _COMPONENTS.items():
        started = time.perf_counter()
        try:
            check()
        except Exception as failure:
            ready = ready and not is_needed
            components[name] = {"status": "down", "error": type(failure).__name__}
        else:
            components[name] = {
                "status": "up",
                "milliseconds": round((time.perf_counter() - started) * 1000, 1),
            }
    status = "up" if all(one["status"] == "up" for one in components.values()) else "degraded"
    if not ready:
        status = "down"
    return json_response(
        {"status": status, "live": True, "ready": ready, "components": components},
        200 if ready else 503,
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: counters for Prometheus, which shows `METRICS_TOKEN` as a bearer token.

    Closed where that is empty, open to everybody where it is None.
    """
    token = settings.METRICS_TOKEN
    shown = request.headers.get("Authorization", "")
    is_right = token and hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())
    if token is not None and not is_right:
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
