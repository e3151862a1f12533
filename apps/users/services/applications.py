"""Applications that may act for people who allow it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.users.events import ApplicationAdmitted, ApplicationEnded
from apps.users.models import Application, SignIn
from apps.users.permissions import MANAGE_CLIENT
from apps.users.services.api_keys import checked_scopes
from apps.users.services.sign_ins import end_sign_ins

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@command
def admit_application(
    *,
    name: str,
    redirect_uris: Sequence[str],
    scopes: Sequence[str] | None = None,
    actor: Actor,
) -> Application:
    """Let people allow an application to act for them. Raises NotAllowed, InvalidInput."""
    require(actor, MANAGE_CLIENT)
    if not redirect_uris:
        raise InvalidInput.field("redirect_uris", "Give at least one.")
    for one in redirect_uris:
        _check_redirect_uri(one)
    application = Application.objects.create(
        name=name, redirect_uris=list(redirect_uris), scopes=checked_scopes(scopes)
    )
    given = application.scopes
    publish(
        ApplicationAdmitted(
            application_id=application.pk, scopes=None if given is None else tuple(given)
        ),
        actor=actor,
    )
    return application


@command
def end_application(*, application_id: UUID, actor: Actor) -> Application:
    """Let an application act for nobody any more; twice is fine. Raises NotAllowed, NotFound."""
    require(actor, MANAGE_CLIENT)
    application = Application.objects.select_for_update().filter(pk=application_id).first()
    if application is None:
        raise NotFound
    if application.ended_at is not None:
        return application
    application.ended_at = timezone.now()
    application.save(update_fields=["ended_at", "updated_at"])
    going_on = SignIn.objects.select_for_update().filter(application=application, ended_at=None)
    end_sign_ins(*going_on, because="application ended", actor=actor)
    publish(ApplicationEnded(application_id=application.pk), actor=actor)
    return application


def _check_redirect_uri(text: str) -> None:
    """Codes travel encrypted, or stay on the machine. Raises InvalidInput."""
    try:
        parts = urlsplit(text)
        named = parts.hostname
    except ValueError:
        named = None
    is_safe = named and (parts.scheme == "https" or (parts.scheme == "http" and named in LOOPBACK))
    if not is_safe or parts.fragment or parts.username or not text.isascii() or len(text) > 500:
        raise InvalidInput.field(
            "redirect_uris", f"{text}: give an https address, or http on the same machine."
        )
