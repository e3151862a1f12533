"""The demo: a story told by the services from beginning to end, once."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from apps.accounts.models import Account
from apps.core.models import EventDelivery
from apps.intelligence.models import ScoreModel
from apps.opportunities.models import Opportunity, OpportunityImport
from apps.quotas.models import QuotaCredit


@pytest.fixture
def told(db, settings, tmp_path, deliver_events) -> str:
    """What was said while the demo was loaded and everybody heard of it."""
    settings.MEDIA_ROOT, settings.DEMO_ALLOWED = tmp_path, True
    said = StringIO()
    call_command("seed", stdout=StringIO())
    call_command("load_demo", stdout=said)
    deliver_events()
    return said.getvalue()


def test_the_demo_is_told_whole_and_once(told):
    assert "Brought over 40 customers and 760 deals of the previous CRM" in told
    assert "Imported 360 rows" in told
    assert not EventDelivery.objects.exists()
    past = Opportunity.objects.filter(external_source="previous crm")
    assert (past.count(), OpportunityImport.objects.get().failed) == (760, 0)
    assert min(past.won().count(), past.lost().count()) > 200
    assert Account.objects.filter(owner=None).count() == 0
    won = set(Opportunity.objects.won().values_list("pk", flat=True))
    assert set(QuotaCredit.objects.values_list("opportunity_id", flat=True)) == won
    assert ScoreModel.objects.get().card["decided"] > 600
    again = StringIO()
    call_command("load_demo", stdout=again)
    assert again.getvalue() == "There is data already; nothing was loaded.\n"
