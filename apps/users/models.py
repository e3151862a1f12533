"""People who use the platform, their roles, reporting lines and sign-ins."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.timezone import localtime

from apps.core.actors import system_actor
from apps.core.commands import acting
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
        with acting(system_actor(door="command")):
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
    time_zone = models.CharField(
        max_length=60,
        blank=True,
        help_text="Where pages show moments, such as Europe/Berlin; the organisation's, if empty.",
    )
    is_active = models.BooleanField(default=True)
    all_territories = models.BooleanField(
        default=False,
        help_text="A machine client sees every row, not those of its territories alone.",
    )
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
            models.CheckConstraint(
                condition=models.Q(all_territories=False) | models.Q(role=Role.INTEGRATION),
                name="user_all_territories_of_clients",
            ),
        ]
        indexes = [models.Index(fields=["role", "is_active"], name="user_by_role")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """The name, as Django's pages ask for it."""
        return self.name

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # What ends a person's tokens ends their sessions in the back office too.
        salt, given = "salesplatform.session", f"{self.token_version} {self.password}"
        return salted_hmac(salt, given, secret=secret, algorithm="sha256").hexdigest()

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


class ApiKey(Record):
    """What a machine client shows: as `X-API-Key: <prefix>.<secret>`, or prefix and secret as its
    id and secret at `/oauth/token`. Of the secret only a digest is kept.

    A rotated key keeps its prefix; its former secret works until `former_until`.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, unique=True)
    digest = models.CharField(max_length=64)
    former_digest = models.CharField(max_length=64, blank=True)
    former_until = models.DateTimeField(null=True, blank=True)
    scopes = ArrayField(
        models.CharField(max_length=100),
        null=True,
        blank=True,
        help_text="The permissions it has of its role's; all of them, if empty.",
    )
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class Application(Record):
    """A program that acts for people who allow it to, by OAuth 2 with PKCE. It has no secret."""

    name = models.CharField(max_length=100)
    redirect_uris = ArrayField(models.CharField(max_length=500))
    scopes = ArrayField(
        models.CharField(max_length=100),
        null=True,
        blank=True,
        help_text="The permissions it may be given; all of the person's, if empty.",
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class SignIn(Record):
    """One sign-in with tokens: a chain of tokens of which only the last can be exchanged.

    Of a person, of a person through an application, or of a client with its key. `scopes` narrow
    the role; without them the role alone says what may be done.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    application = models.ForeignKey(
        Application, null=True, blank=True, on_delete=models.CASCADE, related_name="sign_ins"
    )
    api_key = models.ForeignKey(
        ApiKey, null=True, blank=True, on_delete=models.CASCADE, related_name="sign_ins"
    )
    scopes = ArrayField(models.CharField(max_length=100), null=True, blank=True)
    current_token = models.UUIDField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_because = models.CharField(max_length=50, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at"], name="sign_in_by_user"),
            models.Index(
                fields=["ended_at"], name="sign_in_ended", condition=~models.Q(ended_at=None)
            ),
            models.Index(fields=["expires_at"], name="sign_in_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} since {localtime(self.created_at):%Y-%m-%d %H:%M}"


class FailedSignIns(models.Model):
    """Failures to sign in of an account or from an address, while Valkey is away."""

    key = models.CharField(max_length=100, primary_key=True)
    failures = models.IntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "failed sign-ins"

    def __str__(self) -> str:
        return f"{self.failures} failures"


class SecondFactor(Record):
    """An authenticator that a person shows besides the password; it counts once confirmed."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="second_factor")
    sealed_secret = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0)
    recovery_digests = ArrayField(models.CharField(max_length=64), default=list)

    def __str__(self) -> str:
        return f"Second factor of {self.user_id}"


class ExternalIdentity(Record):
    """A person as an identity provider knows them: by its subject, which never changes."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="external_identities")
    provider = models.CharField(max_length=50)
    subject = models.CharField(max_length=255)

    class Meta:
        verbose_name_plural = "external identities"
        constraints = [
            models.UniqueConstraint("provider", "subject", name="external_identity_once")
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.subject}"
