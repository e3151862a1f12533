"""News of a customer: who says it, when it was true, and which account is meant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import Account
from apps.accounts.services.accounts import recognise_account
from apps.core.actors import Actor


@dataclass(frozen=True, kw_only=True)
class News:
    """What comes with everything a partner says of an account.

    Attributes:
        account_id: ours, or the one the partner keeps it under.
        domain: by which the account is known where neither is.
        partner: the key of whoever says it.
        as_of: when it was true; what is older than what is known changes nothing.
    """

    account_id: str
    partner: str
    as_of: datetime
    domain: str = ""


def account_meant(news: News, *, actor: Actor) -> Account:
    """The account within reach that is meant, locked. Raises NotFound."""
    return recognise_account(
        system=news.partner, account_id=news.account_id, domain=news.domain, actor=actor
    )
