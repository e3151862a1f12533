"""People: adding them, changing what they may do and whom they report to."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apps.core.actors import Actor
from apps.core.commands import command
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, NotFound
from apps.core.journal import publish
from apps.core.permissions import declared, require
from apps.users.errors import EmailTaken, NotAClient, ReportingLineLoops
from apps.users.events import UserAccessChanged, UserPasswordChanged
from apps.users.models import Role, RolePermission, SignIn, User
from apps.users.permissions import MANAGE_USER
from apps.users.rules.time_zones import is_time_zone
from apps.users.selectors import forget_standings, reports_of
from apps.users.services.standing import end_everything

MOST_REQUESTS = 1_000_000


@command
def add_user(
    *,
    email: str,
    name: str,
    role: str,
    password: str | None,
    manager_id: UUID | None = None,
    time_zone: str = "",
    all_territories: bool = False,
    actor: Actor,
) -> User:
    """Let a person or a machine client use the platform.

    A client sees the rows of the territories it is a member of, or with `all_territories` every
    row. Raises NotAllowed, EmailTaken, InvalidInput, NotFound.
    """
    require(actor, MANAGE_USER)
    if role not in Role.values:
        raise InvalidInput.field("role", f"Choose one of {', '.join(Role.values)}.")
    if User.objects.filter(email__iexact=email).exists():
        raise EmailTaken
    _check_time_zone(time_zone)
    if all_territories and role != Role.INTEGRATION:
        raise InvalidInput.field("all_territories", "This is for machine clients.")
    user = User(
        email=email,
        name=name,
        role=role,
        manager=_manager(manager_id),
        time_zone=time_zone,
        all_territories=all_territories,
    )
    if password is None:
        user.set_unusable_password()
    else:
        _check_password(password, user)
        user.set_password(password)
    user.save()
    _tell(user, actor)
    return user


@command
def change_access(
    *, user_id: UUID, role: str, manager_id: UUID | None, is_active: bool, actor: Actor
) -> User:
    """Change what a person may do, whom they report to, or end their access.

    All of the person's tokens stop working within seconds when role or activity change.
    Raises NotAllowed, NotFound, InvalidInput, ReportingLineLoops.
    """
    require(actor, MANAGE_USER)
    _lock_reporting_lines()
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    if role not in Role.values:
        raise InvalidInput.field("role", f"Choose one of {', '.join(Role.values)}.")
    if manager_id is not None and manager_id in (user_id, *reports_of(user_id)):
        raise ReportingLineLoops
    if (user.role, user.is_active) != (role, is_active):
        user.token_version += 1
    user.role, user.manager, user.is_active = role, _manager(manager_id), is_active
    user.all_territories = user.all_territories and role == Role.INTEGRATION
    user.save()
    if not is_active:
        SignIn.objects.filter(user=user, ended_at=None).update(
            ended_at=timezone.now(), ended_because="access ended"
        )
    _tell(user, actor)
    return user


@command
def bind_client(*, user_id: UUID, all_territories: bool, actor: Actor) -> User:
    """Let a machine client see every row, or those of its territories alone.

    Raises NotAllowed, NotFound, NotAClient.
    """
    require(actor, MANAGE_USER)
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    if user.role != Role.INTEGRATION:
        raise NotAClient("Only machine clients can be let see every row.")
    user.all_territories = all_territories
    user.save(update_fields=["all_territories", "updated_at"])
    _tell(user, actor)
    return user


@command
def set_password(*, user_id: UUID, password: str, actor: Actor) -> None:
    """Give a person a new password; all their sign-ins end. Raises NotAllowed, InvalidInput."""
    if actor.id != user_id:
        require(actor, MANAGE_USER)
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    _check_password(password, user)
    user.set_password(password)
    end_everything(user, because="password changed")
    user.save(update_fields=["password", "token_version", "is_superuser", "updated_at"])
    publish(UserPasswordChanged(user_id=user.pk), actor=actor)


@command
def set_time_zone(*, user_id: UUID, time_zone: str, actor: Actor) -> User:
    """Show a person moments where they are; without a name, where the organisation is.

    Raises NotAllowed, NotFound, InvalidInput.
    """
    require(actor, MANAGE_USER)
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    _check_time_zone(time_zone)
    user.time_zone = time_zone
    user.save(update_fields=["time_zone", "updated_at"])
    return user


@command
def limit_requests(
    *,
    user_id: UUID,
    requests_per_minute: int | None,
    requests_per_second: int | None,
    actor: Actor,
) -> User:
    """Give somebody a rate limit of their own; None stands for the usual one.

    Raises NotAllowed, NotFound, InvalidInput.
    """
    require(actor, MANAGE_USER)
    for name, count in (
        ("requests_per_minute", requests_per_minute),
        ("requests_per_second", requests_per_second),
    ):
        if count is not None and not 1 <= count <= MOST_REQUESTS:
            raise InvalidInput.field(name, f"Give 1 to {MOST_REQUESTS:,}, or nothing.")
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound
    user.requests_per_minute = requests_per_minute
    user.requests_per_second = requests_per_second
    user.save(update_fields=["requests_per_minute", "requests_per_second", "updated_at"])
    _tell(user, actor)
    return user


@command
def allow_role(*, role: str, permission: str, allowed: bool, actor: Actor) -> RolePermission:
    """Give a role a permission or take it away, from now on. Raises NotAllowed, InvalidInput."""
    require(actor, MANAGE_USER)
    if role not in Role.values:
        raise InvalidInput.field("role", f"Choose one of {', '.join(Role.values)}.")
    if permission not in {one.name for one in declared()}:
        raise InvalidInput.field("permission", "There is no such permission.")
    row = RolePermission.objects.create(
        role=role, permission=permission, allowed=allowed, effective_from=timezone.now()
    )
    transaction.on_commit(forget_standings)
    return row


def _lock_reporting_lines() -> None:
    """One change of the lines at a time: two at once could close a loop."""
    take_turn("reporting lines")


def _manager(manager_id: UUID | None) -> User | None:
    if manager_id is None:
        return None
    manager = User.objects.active().filter(pk=manager_id).first()
    if manager is None:
        raise InvalidInput.field("manager_id", "There is no such person.")
    return manager


def _check_time_zone(name: str) -> None:
    if name and not is_time_zone(name):
        raise InvalidInput.field(
            "time_zone", "Give a name of the IANA database, such as Europe/Berlin."
        )


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as failure:
        raise InvalidInput(
            "The password is too weak.", fields={"password": list(failure.messages)}
        ) from None


def _tell(user: User, actor: Actor) -> None:
    publish(
        UserAccessChanged(
            user_id=user.pk,
            role=user.role,
            is_active=user.is_active,
            manager_id=user.manager_id,
        ),
        actor=actor,
    )
    transaction.on_commit(forget_standings)
