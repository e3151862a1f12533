"""Importing files of opportunities: what the kernel's imports ask about a deal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import Account
from apps.accounts.rules import normalised_domain
from apps.core.actors import Actor
from apps.core.database import take_turn
from apps.core.errors import InvalidInput, Refusal
from apps.core.identifiers import identifier_in
from apps.core.imports.engine import register_imports
from apps.core.imports.kind import Facts, ImportKind, Key
from apps.core.permissions import require
from apps.opportunities.errors import (
    OpportunityInUse,
    OpportunityKnown,
    OpportunityOutOfReach,
    StageNotImported,
)
from apps.opportunities.models import Opportunity, OpportunityImport, OpportunityImportRow
from apps.opportunities.permissions import ASSIGN_OPPORTUNITY, IMPORT_OPPORTUNITY
from apps.opportunities.rules import Kind
from apps.opportunities.selectors import deals_in_use, processes
from apps.opportunities.services.edits import Change, Edit, moment_after
from apps.opportunities.services.facts import PLAIN, apply_facts
from apps.opportunities.services.files import TARGETS, check_file_facts
from apps.opportunities.services.history import keep
from apps.opportunities.services.past import (
    TURN,
    Past,
    bring_over,
    past_of,
    plain_facts,
    stage_called,
    without_rate,
)
from apps.opportunities.services.stages import settle, stand_in
from apps.territories.rules import folded
from apps.users.models import User

EXTERNAL_ID = OpportunityImport.MatchOn.EXTERNAL_ID

_GRADED = ("probability", "forecast_category")


@dataclass(frozen=True)
class DealRecord:
    """A deal in hand, as the kernel's imports ask of a record."""

    edit: Edit

    @property
    def pk(self) -> UUID:
        """The deal's id."""
        return self.edit.deal.pk

    @property
    def version(self) -> int:
        """The deal's."""
        return self.edit.deal.version

    @property
    def owner_id(self) -> UUID:
        """Whose it is."""
        return self.edit.deal.owner_id

    @property
    def territory_id(self) -> UUID | None:
        """Where it lies."""
        return self.edit.deal.territory_id


class OpportunityImports(ImportKind):
    """Files of deals, open and closed, each of an account that is there.

    Of a deal that is there already a file changes what people state of it; whose it is, its
    customer, its stage and its days are not a file's to change.
    """

    name = "opportunities"
    permission = IMPORT_OPPORTUNITY
    files = OpportunityImport
    rows = OpportunityImportRow
    targets = TARGETS
    needed = ("name", "account", "external_id")

    def check(self, given: Mapping[str, Any]) -> Facts:
        """Facts in one form."""
        return check_file_facts(given)

    def keys(self, facts: Facts, *, match_on: str) -> list[Key]:
        """An id in the system that the file is from belongs to one deal."""
        if external_id := facts.get("external_id"):
            return [(EXTERNAL_ID, (facts.get("external_source", ""), external_id))]
        return []

    def existing(self, keys: Collection[Key]) -> Mapping[Key, Sequence[DealRecord]]:
        """The deals with these ids: one import looks at a time."""
        take_turn(TURN)
        origins: list[Any] = [value for _, value in keys]
        if not origins:
            return {}
        deals = Opportunity.objects.from_origins(origins).order_by("pk").lock()
        return {
            (EXTERNAL_ID, (one.edit.deal.external_source, one.edit.deal.external_id)): [one]
            for one in _in_hand(deals)
        }

    def duplicate(self, record: DealRecord, *, is_visible: bool) -> Refusal:
        """There already is such a deal."""
        return OpportunityKnown.of(record.pk, is_visible=is_visible)

    def write_new(self, new: Sequence[Facts], *, actor: Actor) -> Sequence[DealRecord | Refusal]:
        """Bring over, with history, and tell."""
        now = timezone.now()
        accounts = _accounts_meant([one["account"] for one in new], actor)
        people = _people_meant({one["owner"] for one in new if "owner" in one})
        results: list[Past | Refusal] = []
        for facts in new:
            try:
                account = _only_one(accounts[facts["account"]], "account")
                owner = _owner_of(facts, account, people, actor)
                past = past_of(facts, account=account, owner_id=owner.pk, now=now, actor=actor)
                if past.deal.is_open and not owner.is_active:
                    raise InvalidInput.field("owner", f"{owner.name} works here no more.")
                results.append(past)
            except Refusal as refusal:
                results.append(refusal)
        refused = without_rate([one for one in results if isinstance(one, Past)])
        told = [refused.get(one.deal.pk, one) if isinstance(one, Past) else one for one in results]
        bring_over([one for one in told if isinstance(one, Past)], now=now, actor=actor)
        return [
            DealRecord(Edit(one.deal, one.process)) if isinstance(one, Past) else one
            for one in told
        ]

    def put(self, record: DealRecord, facts: Facts) -> Sequence[str]:
        """Change what people state of a deal. Raises StageNotImported, OpportunityIsClosed."""
        edit = record.edit
        stage = stage_called(edit.process, facts["stage"]) if "stage" in facts else edit.stage
        if stage.key != edit.stage.key:
            raise StageNotImported.of(current=edit.stage.key, stated=stage.key)
        stated = plain_facts(facts, stage)
        if "loss_reason" not in facts:
            stated.pop("loss_reason", None)
        if metadata := stated.get("metadata"):
            stated["metadata"] = {**edit.deal.metadata, **metadata}
        apply_facts(edit, stated)
        if stage.is_open:
            graded = {name: facts[name] for name in _GRADED if name in facts}
            settle(edit, None, graded, timezone.now())
        return edit.differing((*sorted(PLAIN), *_GRADED))

    def write_changed(
        self, changed: Sequence[tuple[DealRecord, Sequence[str]]], *, actor: Actor
    ) -> None:
        """Keep deals with their history, and tell what changed of each."""
        edits = [record.edit for record, _ in changed]
        keep(edits, now=moment_after(edits), actor=actor)

    def values_of(self, record: DealRecord) -> dict[str, Any]:
        """What people state of a deal, and how often it was postponed."""
        names = (*sorted(PLAIN), *_GRADED, "push_count")
        facts = {name: getattr(record.edit.deal, name) for name in names}
        values: dict[str, Any] = orjson.loads(orjson.dumps(facts, default=str))
        return values

    def locked(self, ids: Collection[UUID]) -> Sequence[DealRecord]:
        """Those that are not in the bin."""
        return _in_hand(Opportunity.objects.with_ids(ids).order_by("pk").lock())

    def not_undoable(
        self, records: Sequence[DealRecord], created: Collection[UUID]
    ) -> Mapping[UUID, Refusal]:
        """A deal that something else goes by now stays."""
        return {one: OpportunityInUse() for one in deals_in_use(created)}

    def put_in_bin(self, record: DealRecord, *, actor: Actor) -> None:
        """Put a deal into the bin; what it counted for as a won one is taken back."""
        edit = _taking_back(record)
        now = moment_after([edit])
        if edit.deal.kind == Kind.WON:
            last = next(
                one for one in edit.process.stages if one.id == edit.deal.last_open_stage_id
            )
            edit.deal.close_reason = ""
            stand_in(edit, last, {}, now)
        edit.deal.deleted_at, edit.deal.deleted_by_id = now, actor.id
        edit.kind = Change.DELETED
        edit.also_changed.append("bin")
        keep([edit], now=now, actor=actor)

    def put_back(self, record: DealRecord, values: Mapping[str, Any], *, actor: Actor) -> None:
        """Restore what people stated of a deal."""
        edit = _taking_back(record)
        fields: dict[str, Any] = {name: Opportunity._meta.get_field(name) for name in values}
        facts = {name: fields[name].to_python(value) for name, value in values.items()}
        apply_facts(edit, facts)
        edit.deal.push_count = facts["push_count"]
        if edit.stage.is_open:
            graded = {name: facts[name] for name in _GRADED}
            settle(edit, None, graded, timezone.now())
        keep([edit], now=moment_after([edit]), actor=actor)


def _in_hand(deals: Any) -> list[DealRecord]:
    found = list(deals)
    compiled = processes({one.pipeline_id for one in found})
    return [DealRecord(Edit.of(one, compiled[one.pipeline_id])) for one in found]


def _taking_back(record: DealRecord) -> Edit:
    """A deal in hand as it is now: taking back another row may have changed it before."""
    edit = Edit.of(record.edit.deal, record.edit.process)
    edit.is_taking_back = True
    return edit


def _accounts_meant(named: Collection[str], actor: Actor) -> dict[str, list[Account]]:
    """The accounts within reach that texts mean: by id, else by domain, else by name."""
    ids = {one: identifier_in(one) for one in named}
    domains = {one: normalised_domain(one) for one in named}
    keys = {one: folded(one) for one in named}
    within_reach = Account.objects.visible_to(actor).select_related("owner")
    accounts = within_reach.filter(
        Q(pk__in=[one for one in ids.values() if one])
        # Stated as the index states it.
        | (~Q(domain="") & Q(domain__in=[one for one in domains.values() if one]))
        | Q(account_key__in=list(keys.values()))
    )
    found: defaultdict[Any, list[Account]] = defaultdict(list)
    for account in accounts:
        for key in {account.pk, ("domain", account.domain), account.account_key}:
            found[key].append(account)
    return {
        one: found[ids[one]] or found[("domain", domains[one] or None)] or found[keys[one]]
        for one in named
    }


def _people_meant(named: Collection[str]) -> dict[str, list[User]]:
    """The people that texts mean: by address, else by name."""
    wanted = {folded(one) for one in named}
    found: defaultdict[str, list[User]] = defaultdict(list)
    if wanted:
        for person in User.objects.only("email", "name", "is_active"):
            for text in {folded(person.email), folded(person.name)} & wanted:
                found[text].append(person)
    return {one: found[folded(one)] for one in named}


def _only_one(meant: Sequence[Any], name: str) -> Any:
    """The one that is meant. Raises InvalidInput."""
    if not meant:
        raise InvalidInput.field(name, f"There is no such {name}.")
    if len(meant) > 1:
        better = "an id or a domain" if name == "account" else "an address"
        raise InvalidInput.field(name, f"Several are called so; give {better}.")
    return meant[0]


def _owner_of(
    facts: Facts, account: Account, people: Mapping[str, Sequence[User]], actor: Actor
) -> User:
    """Whose a deal is: as stated, else whose the account is.

    Raises InvalidInput, NotAllowed, OpportunityOutOfReach.
    """
    if "owner" not in facts:
        return account.owner
    owner: User = _only_one(people[facts["owner"]], "owner")
    if owner.pk not in (account.owner_id, actor.id):
        require(actor, ASSIGN_OPPORTUNITY)
    if not actor.reach.includes(owner_id=owner.pk, territory_id=account.territory_id):
        raise OpportunityOutOfReach
    return owner


OPPORTUNITY_IMPORTS = register_imports(OpportunityImports())
