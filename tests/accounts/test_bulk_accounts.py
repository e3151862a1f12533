"""Many accounts at once: handed over, into the bin and out of it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.accounts.models import Account, AccountAssignment
from apps.accounts.services.accounts import delete_accounts, reassign_accounts, restore_accounts
from apps.core.models import BusinessEvent, Job
from tests.factories.accounts import AccountFactory
from tests.factories.territories import TerritoryFactory
from tests.factories.users import UserFactory


def outcomes(answer) -> list[tuple[str, str | None]]:
    """Status of each row, with the reason of the refused ones."""
    assert answer.status_code == 200, answer.content
    return [
        (one["status"], one["error"] and one["error"]["details"]["reason"])
        for one in answer.json()["results"]
    ]


def told() -> list[str]:
    return list(BusinessEvent.objects.order_by("sequence").values_list("name", flat=True))


def test_hands_many_over_and_answers_for_each(api, manager, rep):
    colleague, west = UserFactory(manager=manager), TerritoryFactory()
    mine, same = AccountFactory(owner=rep), AccountFactory(owner=colleague, territory=west)
    hidden = AccountFactory()
    answer = api(manager).call(
        "POST",
        "/accounts/bulk-assign",
        {
            "ids": [str(one.pk) for one in (mine, same, hidden)],
            "owner_id": str(colleague.pk),
            "territory_id": str(west.pk),
            "reason": "Rex leaves",
        },
    )
    assert outcomes(answer) == [("done", None), ("done", None), ("refused", "not_found")]
    for account, version in ((mine, 2), (same, 1), (hidden, 1)):
        account.refresh_from_db()
        assert account.version == version
    assert (mine.owner, mine.territory, hidden.owner == colleague) == (colleague, west, False)
    period = AccountAssignment.objects.get()
    assert (period.record, period.owner, period.reason) == (mine, colleague, "Rex leaves")
    assert told() == ["territory.assignment_changed", "account.updated"]


def test_hands_over_what_a_filter_finds(api, manager, rep):
    colleague = UserFactory(manager=manager)
    german, french = AccountFactory(owner=rep, country="DE"), AccountFactory(owner=rep)
    body = {"filter": {"country": "DE"}, "owner_id": str(colleague.pk)}
    assert outcomes(api(manager).call("POST", "/accounts/bulk-assign", body)) == [("done", None)]
    german.refresh_from_db()
    french.refresh_from_db()
    assert (german.owner, french.owner) == (colleague, rep)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"ids": [str(uuid4())]}, "nowhere_to_assign"),
        ({"ids": [str(uuid4())], "owner_id": str(uuid4())}, "invalid_input"),
        ({"owner_id": str(uuid4())}, "ids_or_filter"),
        ({"ids": [], "owner_id": str(uuid4())}, "invalid_input"),
        ({"ids": ["x"], "owner_id": str(uuid4())}, "invalid_input"),
    ],
)
def test_refuses_what_makes_no_sense(api, manager, body, reason):
    answer = api(manager).call("POST", "/accounts/bulk-assign", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]["details"].get("reason", "invalid_input") == reason


def test_nobody_hands_many_out_of_their_own_reach(acting, manager, rep, outsider):
    account = AccountFactory(owner=rep)
    (result,) = reassign_accounts(ids=[account.pk], owner_id=outsider.pk, actor=acting(manager))
    assert result.refusal.reason == "account_out_of_reach"
    account.refresh_from_db()
    assert (account.owner, account.version, told()) == (rep, 1, [])


@pytest.mark.parametrize("name", ["bulk-assign", "bulk-delete", "bulk-restore"])
def test_a_rep_may_none_of_it(api, rep, name):
    account = AccountFactory(owner=rep)
    body = {"ids": [str(account.pk)]}
    if name == "bulk-assign":
        body["owner_id"] = str(rep.pk)
    assert api(rep).call("POST", f"/accounts/{name}", body).status_code == 403
    account.refresh_from_db()
    assert (account.version, told()) == (1, [])


def test_puts_many_into_the_bin_and_takes_them_out(api, manager, rep):
    accounts = [AccountFactory(owner=rep) for _ in range(3)]
    body = {"ids": [str(one.pk) for one in accounts]}
    client = api(manager)
    assert outcomes(client.call("POST", "/accounts/bulk-delete", body)) == [("done", None)] * 3
    assert not Account.objects.exists()
    gone = [("refused", "not_found")] * 3
    assert outcomes(client.call("POST", "/accounts/bulk-delete", body)) == gone
    assert outcomes(client.call("POST", "/accounts/bulk-restore", body)) == [("done", None)] * 3
    assert outcomes(client.call("POST", "/accounts/bulk-restore", body)) == gone
    assert set(Account.objects.values_list("version", "deleted_by_id")) == {(3, None)}
    assert told() == ["account.deleted"] * 3 + ["account.restored"] * 3


def test_of_two_with_one_domain_only_one_comes_back(acting, manager, rep):
    first = AccountFactory(owner=rep, domain="acme.example")
    delete_accounts(ids=[first.pk], actor=acting(manager))
    second = AccountFactory(owner=rep, domain="acme.example")
    delete_accounts(ids=[second.pk], actor=acting(manager))
    results = restore_accounts(ids=[first.pk, second.pk], actor=acting(manager))
    assert [one.status for one in results] == ["done", "refused"]
    assert (results[1].refusal.reason, results[1].refusal.details) == (
        "account_domain_taken",
        {"account_id": first.pk},
    )
    assert list(Account.objects.all()) == [first]


def test_more_than_two_hundred_become_a_job(api, manager, rep, deliver_events):
    colleague = UserFactory(manager=manager)
    accounts = AccountFactory.create_batch(201, owner=rep)
    body = {"ids": [str(one.pk) for one in accounts], "owner_id": str(colleague.pk)}
    answer = api(manager).call("POST", "/accounts/bulk-assign", body)
    assert answer.status_code == 202, answer.content
    deliver_events()
    job = Job.objects.get()
    assert (job.status, job.succeeded, job.failed) == ("completed", 201, 0)
    assert Account.objects.filter(owner=colleague).count() == 201


def test_the_queries_do_not_grow_with_the_rows(acting, manager, rep, django_assert_max_num_queries):
    colleague = UserFactory(manager=manager)
    ids = [one.pk for one in AccountFactory.create_batch(30, owner=rep)]
    actor = acting(manager)
    with django_assert_max_num_queries(12):
        reassign_accounts(ids=ids, owner_id=colleague.pk, actor=actor)
    with django_assert_max_num_queries(8):
        delete_accounts(ids=ids, actor=actor)
