"""People who use the platform, their roles, reporting lines and sign-ins."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from apps.core.history import audited
from apps.core.models import Record
from apps.core.permissions import ADMIN, INTEGRATION, READ_ONLY, SALES_MANAGER, SALES_REP


class Role(models.TextChoices):
    """What a person or client is here for. Rights hang on roles, not on people."""

    ADMIN = ADMIN
    SALES_MANAGER = SALES_MANAGER
    SALES_REP = SALES_REP
    READ_ONLY = READ_ONLY
    INTEGRATION = INTEGRATION


class UserQuerySet(models.QuerySet):
    """Reads of people."""

    def active(self) -> Self:
        """Those who may sign in and get work."""
        return self.filter(is_active=True)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Makes users for Django's own commands; everything else goes through the services."""

    def get_by_natural_key(self, username: str | None) -> User:
        """The person with an address, however its letters were typed."""
        user: User = self.get(email__iexact=username)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """The first admin of an empty system (`manage.py createsuperuser`)."""
        user = self.model(email=email, role=Role.ADMIN, **fields)
        user.set_password(password)
        user.save()
        return user


@audited("users", leave_out=("password", "last_login", "token_version", "is_superuser"))
class User(AbstractBaseUser, PermissionsMixin, Record):
    """A person who signs in, or the identity of a machine client."""

    email = models.EmailField(max_length=255)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=30, choices=Role, default=Role.SALES_REP)
    manager = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reports"
    )
    time_zone = models.CharField(max_length=60, default="UTC")
    is_active = models.BooleanField(default=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    requests_per_second = models.PositiveIntegerField(null=True, blank=True)
    token_version = models.IntegerField(default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once"),
            models.CheckConstraint(
                condition=~models.Q(manager=models.F("id")), name="user_is_not_own_manager"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="user_role_known"
            ),
        ]
        indexes = [models.Index(fields=["role", "is_active"], name="user_by_role")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """The name, as Django's pages ask for it."""
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        # Django's own pages ask for a superuser; here that is nothing but the role.
        self.is_superuser = self.role == Role.ADMIN
        super().save(*args, **kwargs)

    @property
    def is_staff(self) -> bool:
        """Whether the person may open the back office. Machine clients may not."""
        return self.is_active and self.role != Role.INTEGRATION


@audited("role_permissions")
class RolePermission(Record):
    """Whether a role holds a permission from a moment on. The latest row in effect counts."""

    role = models.CharField(max_length=30, choices=Role)
    permission = models.CharField(max_length=100)
    allowed = models.BooleanField()
    effective_from = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "role", "permission", "effective_from", name="role_permission_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role} {'may' if self.allowed else 'may not'} {self.permission}"


class SignIn(Record):
    """One sign-in with tokens: a chain of refresh tokens of which only the last is valid."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    current_token = models.UUIDField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=50, blank=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="sign_in_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"
