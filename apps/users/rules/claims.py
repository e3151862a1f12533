"""What an identity provider says of somebody, and what that makes them here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider, as the settings describe it.

    Attributes:
        name: in addresses.
        label: on the button.
        issuer: exactly as it names itself; its discovery document lies below.
        domains: of the e-mail addresses whose people may come in.
        role_claim: the claim that says the role, a text or a list, by `roles`; without one, roles
            stay as they are here.
        roles: role by the claim's value.
        default_role: of new people where there is no `role_claim`.
        territory_claim: the claim that names territories, by `territories`.
        territories: names of territories by the claim's value.
        creates_people: whether people are added when they first sign in.
    """

    name: str
    label: str
    issuer: str
    client_id: str
    client_secret: str
    domains: Sequence[str] = ()
    scopes: Sequence[str] = ("openid", "email", "profile")
    role_claim: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = ""
    territory_claim: str = ""
    territories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    creates_people: bool = False


@dataclass(frozen=True)
class Identity:
    """Somebody as a provider vouches for them. `role` is None where it does not say one."""

    subject: str
    email: str
    name: str
    role: str | None
    territories: tuple[str, ...]


class ClaimsRefused(Exception):
    """The claims do not let anybody in; the text says why, for the journal."""


# By how much they may do: whoever has several gets the first.
_STRONGEST_FIRST = ("admin", "sales_manager", "sales_rep", "read_only")


def identity_of(claims: Mapping[str, Any], provider: Provider) -> Identity:
    """Who the claims of a checked token are about. Raises ClaimsRefused."""
    email = claims.get("email")
    if not isinstance(email, str) or email.count("@") != 1 or len(email) > 255:
        raise ClaimsRefused("no e-mail")
    if claims.get("email_verified") is not True:
        raise ClaimsRefused("e-mail not verified")
    if email.rpartition("@")[2].casefold() not in {one.casefold() for one in provider.domains}:
        raise ClaimsRefused("foreign domain")
    name = claims.get("name")
    return Identity(
        subject=str(claims["sub"]),
        email=email,
        name=name[:200] if isinstance(name, str) and name else email.partition("@")[0],
        role=_role_of(claims, provider),
        territories=_territories_of(claims, provider),
    )


def _role_of(claims: Mapping[str, Any], provider: Provider) -> str | None:
    if not provider.role_claim:
        return None
    held = {
        provider.roles[one] for one in _texts(claims, provider.role_claim) if one in provider.roles
    }
    for role in _STRONGEST_FIRST:
        if role in held:
            return role
    raise ClaimsRefused("unknown role")


def _territories_of(claims: Mapping[str, Any], provider: Provider) -> tuple[str, ...]:
    if not provider.territory_claim:
        return ()
    said = _texts(claims, provider.territory_claim)
    return tuple(sorted({name for one in said for name in provider.territories.get(one, ())}))


def _texts(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    value = claims.get(claim)
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, str))
