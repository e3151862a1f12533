"""How a customer fares shows in the scores of its open deals, with the reason in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.errors import NotAllowed
from apps.core.models import BusinessEvent
from apps.opportunities.models import Opportunity
from apps.opportunities.services.deals import change_opportunity
from apps.opportunities.services.scores import score_deals_of_customers
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health, make_ticket
from tests.factories.opportunities import make_deal

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep)


@pytest.fixture
def deal(rep, account):
    return make_deal(account=account, owner=rep)


def reasons(deal):
    deal.refresh_from_db()
    return {
        one["key"]: (one["points"], one["text"])
        for one in deal.deal_score_reasons
        if one["key"] in ("customer_health", "critical_tickets")
    }


def test_scores_follow_how_the_customer_fares(account, deal, deliver_events):
    before, version = deal.deal_score, deal.version
    now = timezone.now()
    make_health(account, 80, as_of=now - timedelta(hours=2))
    deliver_events()
    assert reasons(deal) == {"customer_health": (4, "The customer's health is at 80.")}
    make_health(account, 35, as_of=now - timedelta(hours=1))
    deliver_events()
    assert reasons(deal) == {"customer_health": (-15, "The customer's health fell to 35.")}
    assert deal.deal_score == before - 15
    make_ticket(account, "T-1")
    make_ticket(account, "T-2")
    deliver_events()
    assert reasons(deal)["critical_tickets"] == (-10, "2 critical tickets are open.")
    make_ticket(account, "T-1", status="solved")
    deliver_events()
    assert reasons(deal)["critical_tickets"] == (-10, "A critical ticket is open.")
    make_ticket(account, "T-2", status="solved")
    make_health(account, 36)
    deliver_events()
    assert reasons(deal) == {"customer_health": (-15, "The customer's health is at 36.")}
    assert deal.version == version
    assert not BusinessEvent.objects.filter(name="opportunity.updated").exists()


def test_a_change_of_the_deal_keeps_the_customer_in_mind(account, deal, rep, acting):
    make_health(account, 35)
    make_ticket(account)
    change_opportunity(opportunity_id=deal.pk, next_step="Call them", actor=acting(rep))
    assert set(reasons(deal)) == {"customer_health", "critical_tickets"}


def test_a_new_deal_begins_with_what_is_known(account, rep):
    make_health(account, 35)
    assert reasons(make_deal(account=account, owner=rep)) == {
        "customer_health": (-15, "The customer's health is at 35.")
    }


def test_other_deals_stay_as_they_are(account, deal, rep, system, deliver_events):
    others = [
        make_deal(owner=rep),
        make_deal(account=account, owner=rep, stage="closed_lost"),
    ]
    learned = make_deal(account=account, owner=rep)
    deliver_events()
    Opportunity.objects.filter(pk=learned.pk).update(
        deal_score=77, deal_score_source="model", deal_score_version="m-1"
    )
    before = [(one.deal_score, one.deal_score_reasons) for one in others]
    make_health(account, 35)
    deliver_events()
    for one in (*others, learned):
        one.refresh_from_db()
    assert [(one.deal_score, one.deal_score_reasons) for one in others] == before
    assert (learned.deal_score, learned.deal_score_version) == (77, "m-1")
    assert score_deals_of_customers(account_ids=[account.pk], actor=system) == 0


def test_of_a_learned_score_the_customer_is_told_beside_it(api, account, deal, rep):
    Opportunity.objects.filter(pk=deal.pk).update(
        deal_score=77, deal_score_source="model", deal_score_version="m-1"
    )
    make_health(account, 35)
    shown = api(rep).call("GET", f"/opportunities/{deal.pk}/score").json()
    assert shown["score"] == 77
    assert ("customer_health", -15) in {(one["key"], one["points"]) for one in shown["health"]}


def test_refuses_whoever_may_not_score(account, deal, rep, acting):
    make_health(account, 35)
    with pytest.raises(NotAllowed):
        score_deals_of_customers(account_ids=[account.pk], actor=acting(rep))
    assert reasons(deal) == {}
