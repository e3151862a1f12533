"""The second factor: a code of an authenticator, or one of the recovery codes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.errors import NotFound
from apps.core.journal import publish
from apps.core.permissions import require
from apps.users.errors import SecondFactorThere, WrongCode
from apps.users.events import SecondFactorEnrolled, SecondFactorReset
from apps.users.models import SecondFactor, User
from apps.users.permissions import MANAGE_USER
from apps.users.rules.one_time_codes import (
    address_of,
    fresh_recovery_codes,
    fresh_secret,
    recovery_digest,
    step_of,
    written,
)
from apps.users.services.attempts import on_code
from apps.users.services.sealing import seal, unseal
from apps.users.services.standing import end_everything


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator is told: as people type it, and as a picture says it."""

    secret: str
    address: str


@command
def begin_second_factor(*, actor: Actor) -> Enrolment:
    """Give one's authenticator a secret, which counts once confirmed. Raises SecondFactorThere."""
    factor = _locked(actor.id)
    if factor is None:
        factor = SecondFactor(user_id=actor.id)
        factor.sealed_secret = seal(fresh_secret(), place=_place(factor))
        factor.save(force_insert=True)
    elif factor.confirmed_at is not None:
        raise SecondFactorThere
    secret = unseal(bytes(factor.sealed_secret), place=_place(factor))
    account = User.objects.values_list("email", flat=True).get(pk=actor.id)
    return Enrolment(
        written(secret), address_of(secret, account=account, issuer=settings.TOKEN_ISSUER)
    )


@command
def confirm_second_factor(*, code: str, actor: Actor) -> tuple[str, ...]:
    """Show that the authenticator works; returns the recovery codes, which are shown once.

    Raises NotFound, SecondFactorThere, WrongCode.
    """
    factor = _locked(actor.id)
    if factor is None:
        raise NotFound
    if factor.confirmed_at is not None:
        raise SecondFactorThere
    if not _is_next_code(factor, code):
        raise WrongCode
    codes = fresh_recovery_codes()
    factor.confirmed_at = timezone.now()
    factor.recovery_digests = [recovery_digest(one) for one in codes]
    factor.save()
    publish(SecondFactorEnrolled(user_id=actor.id), actor=actor)
    return codes


def check_second_factor(*, user: User, code: str) -> None:
    """Take a code, once: of the authenticator or a recovery code. Raises WrongCode.

    Too many wrong ones, and for a while right ones are refused alike.
    """
    attempts = on_code(user.email)
    may, _ = attempts.take()
    if not may or not _take_code(user, code):
        raise WrongCode
    attempts.forget()


@transaction.atomic
def _take_code(user: User, code: str) -> bool:
    factor = _locked(user.pk)
    if factor is None or factor.confirmed_at is None:
        return False
    if _is_next_code(factor, code):
        factor.save(update_fields=["last_step", "updated_at"])
        return True
    if (digest := recovery_digest(code)) not in factor.recovery_digests:
        return False
    factor.recovery_digests.remove(digest)
    factor.save(update_fields=["recovery_digests", "updated_at"])
    return True


@command
def reset_second_factor(*, user_id: UUID, actor: Actor) -> None:
    """Let somebody who lost it enrol anew; all their sign-ins end. Raises NotAllowed, NotFound."""
    require(actor, MANAGE_USER)
    factor = _locked(user_id)
    if factor is None:
        raise NotFound("This person has no second factor.")
    end_everything(factor.user, because="second factor reset")
    factor.user.save(update_fields=["token_version", "is_superuser", "updated_at"])
    factor.delete()
    publish(SecondFactorReset(user_id=user_id), actor=actor)


def has_second_factor(user: User) -> bool:
    """Whether somebody is asked for a code."""
    return SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).exists()


def must_enrol(user: User) -> bool:
    """Whether somebody may not come in without enrolling first."""
    return user.role in settings.SECOND_FACTOR_ROLES and not has_second_factor(user)


def _locked(user_id: UUID) -> SecondFactor | None:
    # The person's row is locked where there is no second factor yet: two at once make one.
    User.objects.select_for_update().get(pk=user_id)
    return SecondFactor.objects.select_for_update().filter(user_id=user_id).first()


def _is_next_code(factor: SecondFactor, code: str) -> bool:
    """Whether it is a code that was not used yet; remembers it, for whoever saves."""
    secret = unseal(bytes(factor.sealed_secret), place=_place(factor))
    plain = code.replace(" ", "")
    step = step_of(secret, plain, now=time.time(), after=factor.last_step)
    if step is None:
        return False
    factor.last_step = step
    return True


def _place(factor: SecondFactor) -> str:
    return f"second factor {factor.pk}"
