"""Changing an account, handing it over, and what is remembered of both."""

from __future__ import annotations

from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from apps.accounts.errors import AccountDomainTaken, AccountOutOfReach, AccountTreeLoops
from apps.accounts.models import Account, AccountAssignment
from apps.accounts.services.accounts import change_account, open_account, reassign_account
from apps.core.errors import InvalidInput, NotAllowed, NotFound, StaleVersion
from apps.core.models import BusinessEvent
from apps.core.periods import organisation_day
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


def told() -> list[tuple[str, dict]]:
    """What the journal keeps, in order."""
    return list(BusinessEvent.objects.order_by("sequence").values_list("name", "payload"))


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_changes_what_is_given_and_tells_only_that(api, rep, method):
    account = AccountFactory(owner=rep, name="Acme", city="Berlin", country="DE")
    answer = api(rep).call(
        method, f"/accounts/{account.pk}", {"name": "ACME Inc", "city": "Berlin", "version": 1}
    )
    assert answer.status_code == 200, answer.content
    row = answer.json()
    assert (row["name"], row["city"], row["country"], row["version"]) == (
        "ACME Inc",
        "Berlin",
        "DE",
        2,
    )
    account.refresh_from_db()
    assert account.account_key == "acme inc"
    assert told() == [
        (
            "account.updated",
            {"account_id": str(account.pk), "version": 2, "changed": ["name"]},
        )
    ]


def test_changing_nothing_tells_nothing(acting, rep):
    account = AccountFactory(owner=rep, name="Acme", domain="acme.com")
    same = change_account(
        account_id=account.pk, name="Acme", domain="www.acme.com", actor=acting(rep)
    )
    assert same.version == 1
    assert told() == []


def test_a_stale_change_is_refused_with_what_is_there(api, rep):
    account = AccountFactory(owner=rep, name="Acme")
    client = api(rep)
    read = client.call("GET", f"/accounts/{account.pk}")
    assert read["ETag"] == '"1"'
    first = client.call("PUT", f"/accounts/{account.pk}", {"name": "First"}, if_match='"1"')
    assert first.status_code == 200
    for stale in (
        client.call("PUT", f"/accounts/{account.pk}", {"name": "Second"}, if_match='"1"'),
        client.call("PATCH", f"/accounts/{account.pk}", {"name": "Second", "version": 1}),
    ):
        assert stale.status_code == 409
        details = stale.json()["error"]["details"]
        assert details["reason"] == "stale_version"
        assert (details["current"]["name"], details["current"]["version"]) == ("First", 2)
    account.refresh_from_db()
    assert (account.name, account.version) == ("First", 2)


def test_an_account_out_of_reach_does_not_exist(api, outsider):
    account = AccountFactory(name="Acme")
    client = api(outsider)
    assert client.call("GET", f"/accounts/{account.pk}").status_code == 404
    assert client.call("PUT", f"/accounts/{account.pk}", {"name": "Mine"}).status_code == 404
    assert client.call("PUT", f"/accounts/{uuid4()}", {"name": "Mine"}).status_code == 404
    account.refresh_from_db()
    assert account.name == "Acme"


def test_whoever_only_reads_changes_nothing(acting, db):
    reader = UserFactory(role=Role.READ_ONLY)
    territory = TerritoryFactory()
    TerritoryMemberFactory(territory=territory, user=reader)
    account = AccountFactory(name="Acme", territory=territory)
    with pytest.raises(NotAllowed):
        change_account(account_id=account.pk, name="Mine", actor=acting(reader))
    account.refresh_from_db()
    assert account.name == "Acme"


def test_another_accounts_domain_is_refused(acting, rep):
    AccountFactory(owner=rep, domain="acme.com")
    other = AccountFactory(owner=rep, domain="other.com")
    with pytest.raises(AccountDomainTaken):
        change_account(account_id=other.pk, domain="acme.com", actor=acting(rep))
    cleared = change_account(account_id=other.pk, domain="", actor=acting(rep))
    assert cleared.domain == ""


def test_a_company_is_not_its_own_parent(acting, rep):
    mother = AccountFactory(owner=rep)
    daughter = AccountFactory(owner=rep, parent_account=mother)
    for parent in (mother, daughter):
        with pytest.raises(AccountTreeLoops):
            change_account(account_id=mother.pk, parent_account_id=parent.pk, actor=acting(rep))
    mother.refresh_from_db()
    assert mother.parent_account_id is None


def test_handing_over_is_remembered_and_told(acting, manager, rep):
    colleague = UserFactory(manager=manager)
    territory = TerritoryFactory()
    account = open_account(name="Acme", owner_id=rep.pk, actor=acting(manager))
    reassign_account(
        account_id=account.pk,
        owner_id=colleague.pk,
        territory_id=territory.pk,
        reason="Rex leaves",
        actor=acting(manager),
    )
    account.refresh_from_db()
    assert (account.owner_id, account.territory_id, account.version) == (
        colleague.pk,
        territory.pk,
        2,
    )
    first, second = AccountAssignment.objects.order_by("valid")
    assert (first.owner_id, first.territory_id) == (rep.pk, None)
    assert (second.owner_id, second.reason) == (colleague.pk, "Rex leaves")
    assert first.valid.upper == second.valid.lower
    assert second.valid.upper is None
    _, (name, payload), (other, _) = told()
    assert (name, other) == ("territory.assignment_changed", "account.updated")
    assert payload == {
        "record_id": str(account.pk),
        "record_type": "account",
        "territory_id": str(territory.pk),
        "previous_territory_id": None,
        "owner_id": str(colleague.pk),
        "previous_owner_id": str(rep.pk),
        "reason": "Rex leaves",
        "cause": "manual",
        "effective_on": organisation_day(timezone.now()).isoformat(),
    }


def test_handing_over_twice_tells_once(acting, manager, rep):
    colleague = UserFactory(manager=manager)
    account = AccountFactory(owner=rep)
    for _ in range(2):
        reassign_account(account_id=account.pk, owner_id=colleague.pk, actor=acting(manager))
    assert [name for name, _ in told()] == ["territory.assignment_changed", "account.updated"]


def test_a_change_may_hand_over_as_well(api, manager, rep):
    territory = TerritoryFactory(owner=manager)
    account = AccountFactory(owner=rep, territory=territory)
    answer = api(manager).call(
        "PATCH",
        f"/accounts/{account.pk}",
        {"owner_id": str(manager.pk), "territory_id": None, "city": "Rome"},
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["owner"] == {"id": str(manager.pk), "name": "Mia Manager"}
    assert answer.json()["territory"] is None
    name, payload = told()[-1]
    assert (name, payload["changed"]) == (
        "account.updated",
        ["city", "owner_id", "territory_id"],
    )


def test_a_rep_hands_nothing_over(acting, rep):
    account = AccountFactory(owner=rep, name="Acme")
    for refused in (
        lambda: reassign_account(
            account_id=account.pk, owner_id=UserFactory().pk, actor=acting(rep)
        ),
        lambda: change_account(
            account_id=account.pk,
            name="Mine",
            territory_id=TerritoryFactory().pk,
            actor=acting(rep),
        ),
    ):
        with pytest.raises(NotAllowed):
            refused()
    account.refresh_from_db()
    assert (account.owner_id, account.territory_id, account.name) == (rep.pk, None, "Acme")
    assert told() == []


def test_nobody_hands_an_account_out_of_their_own_reach(acting, manager, rep, outsider):
    account = AccountFactory(owner=rep)
    with pytest.raises(AccountOutOfReach):
        reassign_account(account_id=account.pk, owner_id=outsider.pk, actor=acting(manager))
    with pytest.raises(InvalidInput):
        reassign_account(account_id=account.pk, owner_id=uuid4(), actor=acting(manager))
    with pytest.raises(NotFound):
        reassign_account(account_id=uuid4(), owner_id=rep.pk, actor=acting(manager))
    account.refresh_from_db()
    assert account.owner_id == rep.pk


def test_the_database_keeps_one_owner_at_a_time(acting, rep):
    account = open_account(name="Acme", actor=acting(rep))
    with pytest.raises(IntegrityError), transaction.atomic():
        AccountAssignment.objects.create(
            record=account,
            owner=rep,
            valid=DateTimeTZRange(timezone.now(), None),
            cause="manual",
            actor_id=rep.pk,
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_changes_of_one_version_at_once_one_is_refused(acting, rep):
    account = AccountFactory(owner=rep, name="Acme")
    actor, start, outcomes = acting(rep), Barrier(2), []

    def change(name: str) -> None:
        try:
            start.wait(5)
            change_account(account_id=account.pk, version=1, name=name, actor=actor)
            outcomes.append(name)
        except StaleVersion:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [Thread(target=change, args=(name,)) for name in ("One", "Two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert outcomes.count("refused") == 1
    account = Account.objects.get()
    assert (account.version, account.name in outcomes) == (2, True)
