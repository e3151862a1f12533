"""Making a company an account: its facts, whose it becomes, and its domain given once."""

from __future__ import annotations

from decimal import Decimal
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connections

from apps.accounts.errors import AccountDomainTaken, AccountElsewhere
from apps.accounts.models import Account, AccountAssignment
from apps.accounts.services.accounts import open_account
from apps.core.errors import InvalidInput, NotAllowed
from apps.core.models import BusinessEvent
from apps.territories.errors import NobodyToAssign, TerritoryInactive
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

ACME = {
    "name": "  Acme   Corp ",
    "domain": "https://www.Acme.com/about",
    "industry": "technology",
    "employee_count": 500,
    "annual_revenue": 50000000.5,
    "country": "usa",
    "state": "CA",
    "city": "San Francisco",
    "postal_code": "94105",
    "external_ids": {"salesforce": "001xx"},
}


def test_opens_an_account_for_the_actor_and_tells(api, rep):
    answer = api(rep).call("POST", "/accounts", ACME)
    assert answer.status_code == 201, answer.content
    account = Account.objects.get()
    assert answer.json() == {
        "id": str(account.pk),
        "owner_id": str(rep.pk),
        "territory_id": None,
        "version": 1,
        "created_at": account.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert (account.name, account.account_key) == ("Acme   Corp", "acme corp")
    assert (account.domain, account.country, account.currency) == ("acme.com", "US", "USD")
    assert account.annual_revenue == Decimal("50000000.50")
    event = BusinessEvent.objects.get()
    assert (event.name, event.topic) == ("account.created", "sales.accounts")
    assert event.payload == {
        "account_id": str(account.pk),
        "name": "Acme   Corp",
        "domain": "acme.com",
        "owner_id": str(rep.pk),
        "territory_id": None,
        "parent_account_id": None,
    }


def test_an_account_is_routed_to_the_territory_whose_rules_it_meets(acting, rep):
    owner = UserFactory()
    west = TerritoryFactory(name="West", owner=owner, countries=["US"], states=["ca"])
    account = open_account(**ACME, actor=acting(rep))
    assert (account.territory_id, account.owner_id) == (west.pk, owner.pk)
    period = AccountAssignment.objects.get()
    assert (period.record_id, period.owner_id, period.territory_id) == (
        account.pk,
        owner.pk,
        west.pk,
    )
    assert (period.cause, period.reason) == ("rule", "Matches state, country of West.")
    assert period.valid.upper is None


def test_a_territory_without_anybody_leaves_the_account_to_the_actor(acting, rep):
    west = TerritoryFactory(countries=["US"])
    account = open_account(**ACME, actor=acting(rep))
    assert (account.territory_id, account.owner_id) == (west.pk, rep.pk)


def test_accounts_are_shared_out_in_turn(acting, rep):
    west = TerritoryFactory(countries=["US"], assignment="round_robin")
    members = {TerritoryMemberFactory(territory=west).user_id for _ in range(2)}
    for number in range(2):
        open_account(name=f"Company {number}", country="US", actor=acting(rep))
    assert set(Account.objects.values_list("owner_id", flat=True)) == members


def test_the_least_loaded_gets_the_account(acting, rep):
    west = TerritoryFactory(countries=["US"], assignment="least_loaded")
    busy, idle = (TerritoryMemberFactory(territory=west).user for _ in range(2))
    AccountFactory(owner=busy)
    account = open_account(name="New", country="US", actor=acting(rep))
    assert account.owner_id == idle.pk


def test_what_is_asked_for_is_not_routed(acting, rep):
    TerritoryFactory(countries=["US"], owner=UserFactory())
    east, colleague = TerritoryFactory(), UserFactory()
    account = open_account(
        **ACME,
        owner_id=colleague.pk,
        territory_id=east.pk,
        cause="conversion",
        actor=acting(rep),
    )
    assert (account.owner_id, account.territory_id) == (colleague.pk, east.pk)
    assert AccountAssignment.objects.get().cause == "conversion"


def test_the_platform_itself_owns_no_account(system, db):
    with pytest.raises(NobodyToAssign):
        open_account(name="Acme", actor=system)
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "A\u0007"}, "name"),
        ({"domain": "not a domain"}, "domain"),
        ({"country": "Atlantis"}, "country"),
        ({"currency": "XXY"}, "currency"),
        ({"employee_count": -1}, "employee_count"),
        ({"employee_count": "5"}, "employee_count"),
        ({"annual_revenue": -0.01}, "annual_revenue"),
        ({"annual_revenue": 1.005}, "annual_revenue"),
        ({"owner_id": str(uuid4())}, "owner_id"),
        ({"owner_id": None}, "owner_id"),
        ({"territory_id": str(uuid4())}, "territory_id"),
        ({"parent_account_id": str(uuid4())}, "parent_account_id"),
        ({"external_ids": {"salesforce": 7}}, "external_ids"),
        ({"external_ids": {"": "x"}}, "external_ids"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refuses_what_makes_no_sense(api, rep, facts, field):
    answer = api(rep).call("POST", "/accounts", {**ACME, **facts})
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Account.objects.exists()
    assert not BusinessEvent.objects.exists()


def test_a_parent_out_of_reach_does_not_exist(acting, rep):
    with pytest.raises(InvalidInput):
        open_account(name="Acme", parent_account_id=AccountFactory().pk, actor=acting(rep))
    mine = AccountFactory(owner=rep)
    daughter = open_account(name="Acme", parent_account_id=mine.pk, actor=acting(rep))
    assert daughter.parent_account_id == mine.pk


def test_a_territory_switched_off_takes_nothing(acting, rep):
    with pytest.raises(TerritoryInactive):
        open_account(
            name="Acme", territory_id=TerritoryFactory(is_active=False).pk, actor=acting(rep)
        )
    assert not Account.objects.exists()


def test_whoever_only_reads_opens_nothing(acting, db):
    reader = UserFactory(role=Role.READ_ONLY)
    with pytest.raises(NotAllowed):
        open_account(**ACME, actor=acting(reader))
    assert not Account.objects.exists()


def test_a_domain_is_given_once(acting, rep, outsider):
    mine = open_account(**ACME, actor=acting(rep))
    with pytest.raises(AccountDomainTaken) as taken:
        open_account(name="Acme", domain="ACME.com", actor=acting(rep))
    assert taken.value.details == {"account_id": mine.pk}
    with pytest.raises(AccountElsewhere) as elsewhere:
        open_account(name="Acme", domain="acme.com", actor=acting(outsider))
    assert (elsewhere.value.reason, elsewhere.value.details) == ("duplicate_elsewhere", {})
    assert Account.objects.count() == 1
    open_account(name="No domain", actor=acting(rep))
    open_account(name="No domain", actor=acting(rep))
    assert Account.objects.count() == 3


def test_a_repeat_under_an_idempotency_key_opens_one_account(api, rep):
    client = api(rep)
    answers = [client.call("POST", "/accounts", ACME, idempotency_key="a") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert Account.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_with_one_domain_at_once_one_is_refused(acting, rep):
    actor, start, outcomes = acting(rep), Barrier(2), []

    def open_it() -> None:
        try:
            start.wait(5)
            open_account(**ACME, actor=actor)
            outcomes.append("opened")
        except AccountDomainTaken:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [Thread(target=open_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["opened", "refused"]
    assert Account.objects.count() == 1
