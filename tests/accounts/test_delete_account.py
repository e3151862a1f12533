"""The bin: accounts go in, are seen nowhere, and come back for thirty days."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.errors import AccountDomainTaken, TooLateToRestore
from apps.accounts.models import Account
from apps.accounts.services.accounts import delete_account, match_account, restore_account
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from tests.factories.accounts import AccountFactory, ContactFactory


def test_a_deleted_account_is_seen_nowhere_and_comes_back(api, acting, manager, rep):
    account = AccountFactory(owner=rep, name="Acme", domain="acme.com")
    contact = ContactFactory(account=account)
    client = api(manager)
    assert client.call("DELETE", f"/accounts/{account.pk}").status_code == 204
    for path in ("", "/contacts"):
        assert client.call("GET", f"/accounts/{account.pk}{path}").status_code == 404
    assert client.call("GET", "/accounts").json()["data"] == []
    answer = client.call("PUT", f"/accounts/{account.pk}/contacts/{contact.pk}", {"title": "CEO"})
    assert answer.status_code == 404
    assert match_account(name="Acme", domain="acme.com", actor=acting(rep)) is None
    assert Account.objects.with_bin().get().deleted_by_id == manager.pk

    answer = client.call("POST", f"/accounts/{account.pk}/restore")
    assert answer.status_code == 200, answer.content
    assert (answer.json()["id"], answer.json()["version"]) == (str(account.pk), 3)
    assert client.call("GET", f"/accounts/{account.pk}").json()["name"] == "Acme"
    names = BusinessEvent.objects.order_by("sequence").values_list("name", flat=True)
    assert list(names) == ["account.deleted", "account.restored"]


def test_deleting_or_restoring_twice_is_not_found(acting, manager, rep):
    account = AccountFactory(owner=rep)
    with pytest.raises(NotFound):
        restore_account(account_id=account.pk, actor=acting(manager))
    delete_account(account_id=account.pk, actor=acting(manager))
    with pytest.raises(NotFound):
        delete_account(account_id=account.pk, actor=acting(manager))
    assert BusinessEvent.objects.count() == 1


def test_a_rep_deletes_and_restores_nothing(acting, manager, rep):
    account = AccountFactory(owner=rep)
    with pytest.raises(NotAllowed):
        delete_account(account_id=account.pk, actor=acting(rep))
    assert Account.objects.get() == account
    delete_account(account_id=account.pk, actor=acting(manager))
    with pytest.raises(NotAllowed):
        restore_account(account_id=account.pk, actor=acting(rep))
    assert not Account.objects.exists()


def test_an_account_out_of_reach_is_neither_deleted_nor_restored(acting, manager):
    account = AccountFactory()
    with pytest.raises(NotFound):
        delete_account(account_id=account.pk, actor=acting(manager))
    binned = AccountFactory(deleted_at=timezone.now(), deleted_by_id=manager.pk)
    with pytest.raises(NotFound):
        restore_account(account_id=binned.pk, actor=acting(manager))


def test_after_thirty_days_nothing_comes_back(acting, admin):
    account = AccountFactory(deleted_at=timezone.now() - timedelta(days=31), deleted_by_id=admin.pk)
    with pytest.raises(TooLateToRestore):
        restore_account(account_id=account.pk, actor=acting(admin))
    assert not Account.objects.exists()


def test_a_domain_in_the_bin_is_free_until_it_comes_back(acting, manager, rep):
    account = AccountFactory(owner=rep, domain="acme.com")
    delete_account(account_id=account.pk, actor=acting(manager))
    AccountFactory(owner=rep, domain="acme.com")
    with pytest.raises(AccountDomainTaken):
        restore_account(account_id=account.pk, actor=acting(manager))
    assert Account.objects.count() == 1
