"""Importing files of accounts: what the kernel's imports ask about an account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone

from apps.accounts.errors import AccountInUse, AccountKnown
from apps.accounts.models import Account, AccountImport, AccountImportRow
from apps.accounts.permissions import IMPORT_ACCOUNT
from apps.accounts.rules import TARGETS, check_facts
from apps.accounts.selectors import accounts_in_use
from apps.accounts.services.accounts import opened, put_in_bin, told_of_change
from apps.accounts.services.assignment import Place, begin_periods, routed_places
from apps.core.actors import Actor
from apps.core.database import take_turn
from apps.core.errors import Refusal
from apps.core.imports.engine import register_imports
from apps.core.imports.kind import Facts, ImportKind, Key
from apps.core.journal import publish
from apps.core.loading import insert_rows
from apps.territories.models import AssignmentPeriod

DOMAIN = AccountImport.MatchOn.DOMAIN
EXTERNAL_ID = AccountImport.MatchOn.EXTERNAL_ID
NAME = AccountImport.MatchOn.NAME
IMPORT = AssignmentPeriod.Cause.IMPORT

KEY = "account_key"
FACT_NAMES = (*TARGETS.names, *TARGETS.objects)


class AccountImports(ImportKind):
    """Files of accounts. Each comes to the territory whose rules it meets, else to the importer."""

    name = "accounts"
    permission = IMPORT_ACCOUNT
    files = AccountImport
    rows = AccountImportRow
    targets = TARGETS
    needed = ("name",)

    def target_of(self, match_on: str) -> str:
        """External ids are filled system by system."""
        return "external_ids" if match_on == EXTERNAL_ID else match_on

    def check(self, given: Mapping[str, Any]) -> Facts:
        """Facts in one form, with the key of the name."""
        return check_facts(given)

    def keys(self, facts: Facts, *, match_on: str) -> list[Key]:
        """Domain and external ids belong to one account; a name does where rows go by names."""
        keys: list[Key] = [(EXTERNAL_ID, pair) for pair in facts.get("external_ids", {}).items()]
        if domain := facts.get("domain"):
            keys.append((DOMAIN, domain))
        if match_on == NAME and KEY in facts:
            keys.append((NAME, facts[KEY]))
        return keys

    def existing(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Account]]:
        """The accounts with these domains, external ids and names.

        Names and external ids are told apart by no constraint: one import looks at a time.
        """
        take_turn("account import")
        found: defaultdict[Key, list[Account]] = defaultdict(list)
        for account in Account.objects.with_ids(_ids_with(keys)).lock():
            for key in _keys_of(account):
                if key in keys:
                    found[key].append(account)
        return found

    def duplicate(self, record: Account, *, is_visible: bool) -> Refusal:
        """There already is such an account."""
        return AccountKnown.of(record.pk, is_visible=is_visible)

    def write_new(self, new: Sequence[Facts], *, actor: Actor) -> Sequence[Account | Refusal]:
        """Route, write, remember whose they are, and tell."""
        accounts = [Account(**{"currency": settings.DEFAULT_CURRENCY, **one}) for one in new]
        places = routed_places(accounts, cause=IMPORT, actor=actor)
        placed: list[tuple[Account, Place]] = []
        for account, place in zip(accounts, places, strict=True):
            if isinstance(place, Place):
                account.owner_id, account.territory_id = place.owner_id, place.territory_id
                placed.append((account, place))
        written = [account for account, _ in placed]
        insert_rows(Account, written)
        begin_periods(written, [place for _, place in placed], cause=IMPORT, actor=actor)
        publish(*map(opened, written), actor=actor)
        return [
            place if isinstance(place, Refusal) else account
            for account, place in zip(accounts, places, strict=True)
        ]

    def put(self, record: Account, facts: Facts) -> Sequence[str]:
        """Change what differs; ids in systems that the row does not name stay."""
        if ids := facts.get("external_ids"):
            facts = {**facts, "external_ids": {**record.external_ids, **ids}}
        return _put(record, facts)

    def write_changed(
        self, changed: Sequence[tuple[Account, Sequence[str]]], *, actor: Actor
    ) -> None:
        """Write accounts in one statement, and tell what changed of each."""
        _write([account for account, _ in changed])
        publish(*(told_of_change(account, names) for account, names in changed), actor=actor)

    def values_of(self, record: Account) -> dict[str, Any]:
        """Every fact, with the key of the name."""
        facts = {name: getattr(record, name) for name in (*FACT_NAMES, KEY)}
        values: dict[str, Any] = orjson.loads(orjson.dumps(facts, default=str))
        return values

    def locked(self, ids: Collection[UUID]) -> Sequence[Account]:
        """Those that are not in the bin."""
        return list(Account.objects.with_ids(ids).lock())

    def not_undoable(
        self, records: Sequence[Account], created: Collection[UUID]
    ) -> Mapping[UUID, Refusal]:
        """An account that something refers to by now stays."""
        return {account_id: AccountInUse() for account_id in accounts_in_use(created)}

    def put_in_bin(self, record: Account, *, actor: Actor) -> None:
        """Put an account into the bin."""
        told = put_in_bin(record, actor)
        _write([record])
        publish(told, actor=actor)

    def put_back(self, record: Account, values: Mapping[str, Any], *, actor: Actor) -> None:
        """Restore an account's facts."""
        fields: dict[str, Any] = {name: Account._meta.get_field(name) for name in values}
        facts = {name: fields[name].to_python(value) for name, value in values.items()}
        changed = _put(record, facts)
        self.write_changed([(record, changed)], actor=actor)


def _ids_with(keys: Collection[Key]) -> set[UUID]:
    """The ids of the accounts that have one of these keys."""
    by_kind: defaultdict[str, list[Any]] = defaultdict(list)
    for kind, value in keys:
        by_kind[kind].append(value)
    found: set[UUID] = set()
    accounts: Any = Account.objects.order_by().values_list("pk", flat=True)
    if domains := by_kind[DOMAIN]:
        # Stated as the index states it: of a long list PostgreSQL does not see that none is empty.
        found.update(accounts.exclude(domain="").filter(domain__in=domains))
    if pairs := by_kind[EXTERNAL_ID]:
        found.update(accounts.with_external_ids(pairs))
    if names := by_kind[NAME]:
        found.update(accounts.filter(account_key__in=names))
    return found


def _keys_of(account: Account) -> Iterator[Key]:
    yield (DOMAIN, account.domain)
    yield (NAME, account.account_key)
    for pair in account.external_ids.items():
        yield (EXTERNAL_ID, pair)


def _put(account: Account, facts: Mapping[str, Any]) -> list[str]:
    """Put facts on a row as its next version; returns the names of those that differ."""
    changed = [name for name in facts if name != KEY and getattr(account, name) != facts[name]]
    if changed:
        for name, value in facts.items():
            setattr(account, name, value)
        account.version += 1
    return changed


_IMPORTED_FIELDS = (*FACT_NAMES, KEY, "version", "updated_at", "deleted_at", "deleted_by_id")


def _write(accounts: Sequence[Account]) -> None:
    """Write changed rows in one statement."""
    for account in accounts:
        account.updated_at = timezone.now()
    Account.objects.bulk_create(
        accounts, update_conflicts=True, unique_fields=["id"], update_fields=_IMPORTED_FIELDS
    )


ACCOUNT_IMPORTS = register_imports(AccountImports())
