"""The benchmark's databases are filled by COPY, past the models: the schema must not run away."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from apps.accounts.models import Account
from apps.core.contact_points import email_key
from apps.leads.models import Lead, LeadAssignment
from apps.opportunities.models import Opportunity, OpportunityChange, StageSpan
from apps.users.models import User
from benchmarks.databases import BenchDatabase
from benchmarks.filling.columns import COLUMNS
from benchmarks.filling.fill import Filler, write_rows
from benchmarks.filling.market import PEOPLE
from tests.factories.opportunities import default_pipeline

pytestmark = pytest.mark.django_db

ROWS = 200


def without_default(table: str) -> set[str]:
    """The columns that a row of a table can't be written without."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
            "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' "
            "AND is_generated = 'NEVER'",
            [table],
        )
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.parametrize("table", COLUMNS)
def test_gives_every_column_that_a_table_needs(table: str) -> None:
    needed = without_default(table)
    assert "id" in needed
    assert needed - set(COLUMNS[table]) == set()


def test_writes_a_small_company_that_meets_every_constraint() -> None:
    default_pipeline()
    filler = Filler(BenchDatabase(ROWS), say=str)
    raw: Any = connection.connection

    filler.write_people(raw)
    filler.write_accounts(raw)
    leads = list(filler.company.lead_rows())
    write_rows(raw, "core_datakey", (key for key, _ in leads))
    write_rows(raw, "leads_lead", (lead for _, lead in leads))
    deals = list(filler.company.deal_rows())
    write_rows(raw, "opportunities_opportunity", (deal for deal, _, _ in deals))
    write_rows(raw, "opportunities_stagespan", (one for _, spans, _ in deals for one in spans))
    write_rows(raw, "opportunities_opportunitychange", (one for *_, its in deals for one in its))
    filler.write_assignments(raw)

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert User.objects.filter(email__endswith="@bench.test").count() == PEOPLE
    assert Account.objects.count() == ROWS // 5
    assert Lead.objects.with_bin().count() == Opportunity.objects.count() == ROWS
    assert StageSpan.objects.count() == OpportunityChange.objects.count() >= ROWS
    lead = Lead.objects.all()[0]
    assert lead.email_key == email_key(lead.email) != ""
    assert lead.metadata == {"tags": ["imported"]}
    routed = Lead.objects.with_bin().exclude(owner=None, territory=None)
    assert LeadAssignment.objects.count() == routed.count() > 0
