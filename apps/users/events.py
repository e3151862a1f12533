"""What happens to people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.events import event


@event("user.access_changed", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class UserAccessChanged:
    """A person was added, or role, manager or activity changed: reach has to be resolved anew."""

    user_id: UUID
    role: str
    is_active: bool
    manager_id: UUID | None


@event("user.signed_in", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class UserSignedIn:
    """A person or a machine client signed in."""

    user_id: UUID
    method: str


@event("user.sign_in_refused", topic="sales.users", about="subject_id")
@dataclass(frozen=True, kw_only=True)
class UserSignInRefused:
    """Somebody tried to sign in and was refused.

    `subject_id` is the person's, or stands for an address that nobody has; `locked_for` are the
    seconds for which further attempts are refused too.
    """

    subject_id: UUID
    because: str
    locked_for: int


@event("user.territories_claimed", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class TerritoriesClaimed:
    """An identity provider says that a person works these territories, by their names."""

    user_id: UUID
    territories: tuple[str, ...]


@event("user.password_changed", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class UserPasswordChanged:
    """A person has a new password, and all sign-ins with the former one ended."""

    user_id: UUID


@event("user.second_factor_enrolled", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class SecondFactorEnrolled:
    """A person is asked for a code from now on."""

    user_id: UUID


@event("user.second_factor_reset", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class SecondFactorReset:
    """A person's second factor was taken away, to enrol anew."""

    user_id: UUID


@event("user.signed_out", topic="sales.users", about="user_id")
@dataclass(frozen=True, kw_only=True)
class UserSignedOut:
    """A sign-in with tokens ended before its time."""

    user_id: UUID
    sign_in_id: UUID
    because: str


@event("api_key.issued", topic="sales.users", about="api_key_id")
@dataclass(frozen=True, kw_only=True)
class ApiKeyIssued:
    """A machine client was given a key."""

    api_key_id: UUID
    user_id: UUID
    scopes: tuple[str, ...] | None
    expires_at: datetime


@event("api_key.rotated", topic="sales.users", about="api_key_id")
@dataclass(frozen=True, kw_only=True)
class ApiKeyRotated:
    """A key got another secret; the former one works until a moment."""

    api_key_id: UUID
    user_id: UUID
    former_until: datetime


@event("api_key.revoked", topic="sales.users", about="api_key_id")
@dataclass(frozen=True, kw_only=True)
class ApiKeyRevoked:
    """A key works no more."""

    api_key_id: UUID
    user_id: UUID


@event("application.admitted", topic="sales.users", about="application_id")
@dataclass(frozen=True, kw_only=True)
class ApplicationAdmitted:
    """People may let an application act for them."""

    application_id: UUID
    scopes: tuple[str, ...] | None


@event("application.ended", topic="sales.users", about="application_id")
@dataclass(frozen=True, kw_only=True)
class ApplicationEnded:
    """An application may not act for anybody any more."""

    application_id: UUID
