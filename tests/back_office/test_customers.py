"""How customers fare shows on the pages of accounts and deals, to whoever may see it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.customer_success.models import Case
from apps.customer_success.permissions import READ_CUSTOMER
from apps.customer_success.services.measures import record_nps, record_usage
from apps.opportunities.models import Opportunity
from apps.users.selectors import forget_standings
from apps.users.services.people import allow_role
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health, make_ticket, news_of
from tests.factories.opportunities import make_deal

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep)


@pytest.fixture
def deal(account, rep):
    return make_deal(account=account, owner=rep)


@pytest.fixture
def told(account, deal, system):
    make_health(account, 35)
    make_ticket(account)
    record_nps(news=news_of(account), score=-20, actor=system)
    record_usage(news=news_of(account), metrics={"active_users": 1234}, actor=system)


def visitor(user):
    client = Client()
    client.force_login(user)
    return client


def page_of(user, row):
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return visitor(user).get(reverse(name, args=[row.pk])).content.decode()


SHOWN = ("35 of 100", ">Poor<", "Nothing works", "1,234")


def test_an_account_s_page_shows_how_the_customer_fares(told, account, rep):
    page = page_of(rep, account)
    assert [one for one in SHOWN if one not in page] == []
    assert "Account health changed" in page
    assert "Account critical ticket opened" in page


def test_the_pages_of_its_deals_show_it_too(told, deal, rep, deliver_events):
    deliver_events()
    page = page_of(rep, deal)
    assert [one for one in SHOWN if one not in page] == []
    assert "Account health changed" in page
    assert "Account critical ticket opened" in page
    assert "A critical ticket is open." in page


def test_nothing_is_shown_of_an_account_out_of_reach(told, deal, outsider):
    Opportunity.objects.filter(pk=deal.pk).update(owner=outsider)
    page = page_of(outsider, deal)
    assert deal.name in page
    assert [one for one in SHOWN if one in page] == []
    assert "Account health changed" not in page


def test_the_panel_asks_for_the_right(told, account, rep, system):
    allow_role(role=rep.role, permission=READ_CUSTOMER, allowed=False, actor=system)
    forget_standings()
    page = page_of(rep, account)
    assert account.name in page
    assert [one for one in SHOWN if one in page] == []
    cases = reverse("admin:customer_success_case_changelist")
    assert visitor(rep).get(cases).status_code == 403


def test_an_account_of_which_nobody_said_anything_has_an_empty_panel(account, rep):
    page = page_of(rep, account)
    assert "Open trouble" in page
    assert [one for one in SHOWN if one in page] == []


def test_cases_are_listed_and_narrowed(told, account, rep, outsider):
    make_ticket(account, "T-2", severity="low", title="Small thing")
    case = Case.objects.get(external_id="T-1")
    cases = reverse("admin:customer_success_case_changelist")
    everything = visitor(rep).get(cases).content.decode()
    assert "Nothing works" in everything
    assert "Small thing" in everything
    critical = visitor(rep).get(cases, {"severity": "critical"}).content.decode()
    assert "Nothing works" in critical
    assert "Small thing" not in critical
    found = visitor(rep).get(cases, {"q": "T-2", "standing": "active"}).content.decode()
    assert "Small thing" in found
    assert "Nothing works" not in found
    assert "Nothing works" not in visitor(outsider).get(cases).content.decode()
    assert page_of(rep, case).count("Nothing works") > 1
