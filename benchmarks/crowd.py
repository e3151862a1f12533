"""What `benchmarks.planning` has done inside the platform: a thousand people and five hundred
territories, their quotas, and what the clock and the pages do with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from statistics import median, quantiles
from typing import Any

from django.db import connection
from django.utils import timezone

from apps.core.actors import become, system_actor
from apps.core.jobs import run_job
from apps.core.periods import organisation_today
from apps.forecasts.models import NightlyRun
from apps.forecasts.rules import Length, Line, Node
from apps.forecasts.selectors.accuracy import accuracy_of
from apps.forecasts.selectors.changes import Span, waterfalls
from apps.forecasts.selectors.nodes import periods_open_at
from apps.forecasts.selectors.roll_up import roll_up
from apps.forecasts.services.nightly import request_nightly_forecast
from apps.intelligence.services.scoring import score_deals
from apps.intelligence.services.suggestions import suggest_everywhere
from apps.opportunities.models import Opportunity
from apps.quotas.models import Quota
from apps.quotas.rules import QuotaType
from apps.quotas.selectors.attainment import attainments
from apps.quotas.services.credits import credit_unheard
from apps.territories.models import Territory
from apps.users.models import Role, User

PEOPLE = 1_000
PLACES = 500
TEAM = 20
SCORED_AT_ONCE = 1_000
SYSTEM = system_actor(door="benchmark")

# What is open and closed goes to whoever there is, by its id, and keeps its own account.
_SPREAD = """
UPDATE opportunities_opportunity o
SET owner_id = n.people[1 + abs(hashtext(o.id::text)) %% cardinality(n.people)],
    territory_id = n.places[1 + abs(hashtext(o.id::text || 't')) %% cardinality(n.places)]
FROM (SELECT %s::uuid[] AS people, %s::uuid[] AS places) AS n
"""


def prepare() -> None:
    """Hire, draw, spread the deals, and forget what was forecast."""
    managers = list(User.objects.filter(role=Role.SALES_MANAGER).order_by("created_at", "id"))
    head = managers[0]
    missing = PEOPLE - User.objects.filter(is_active=True, role=Role.SALES_REP).count()
    leads = User.objects.bulk_create(
        User(email=f"lead{n}@bench.test", name=f"Lead {n}", role=Role.SALES_MANAGER, manager=head)
        for n in range(missing // TEAM)
    )
    User.objects.bulk_create(
        User(
            email=f"more{n}@bench.test",
            name=f"Rep {n}",
            role=Role.SALES_REP,
            manager=leads[n % len(leads)],
        )
        for n in range(missing)
    )
    above = list(Territory.objects.filter(parent_territory=None))
    Territory.objects.bulk_create(
        Territory(name=f"Patch {n}", parent_territory=above[n % len(above)])
        for n in range(PLACES - Territory.objects.count())
    )
    people = [one.pk for one in User.objects.filter(role=Role.SALES_REP)]
    places = [one.pk for one in Territory.objects.all()]
    with connection.cursor() as cursor:
        # What was before is not kept in history: the figures are those of what comes.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE forecasts_forecastline, forecasts_forecastsnapshot, forecasts_forecastfact,"
            " forecasts_forecastaccuracy, intelligence_suggestion, quotas_quota CASCADE"
        )
        cursor.execute(_SPREAD, [people, places])
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM (ANALYZE) opportunities_opportunity")
        cursor.execute("ANALYZE")
    Quota.objects.bulk_create(
        Quota(
            **holder,
            period=period.key,
            starts_on=period.starts_on,
            ends_on=period.ends_on,
            quota_type=quota_type,
            amount=amount,
            currency="USD",
        )
        for holder in [
            *({"user_id": one} for one in people),
            *({"territory_id": one} for one in places),
        ]
        for period in periods_open_at(timezone.now())
        for quota_type, amount in ((QuotaType.REVENUE, 500_000), (QuotaType.DEALS, 40))
    )


def credit() -> None:
    """Credit the deals that were won."""
    print(f"{credit_unheard(actor=SYSTEM):,} credits")


def night() -> None:
    """The nightly run, as the clock has it."""
    NightlyRun.objects.all().delete()
    run = request_nightly_forecast(now=timezone.now(), actor=SYSTEM)
    run_job(run.job_id)
    run.job.refresh_from_db()
    print(f"{run.job.status}, {run.job.succeeded:,} forecasts")


def attainment() -> None:
    """How everybody's quotas of the quarter stand, one after the other."""
    quarter = periods_open_at(timezone.now())[1].key
    today = organisation_today()
    people = User.objects.exclude(role=Role.INTEGRATION).values_list("pk", flat=True)
    of_person = partial(attainments, actor=SYSTEM, period=quarter, today=today)
    took = [_seconds(partial(of_person, user_id=one)) for one in people]
    print(_in_words("attainment of a person", took))


def pages() -> None:
    """What leaders look at: everything, and the largest branch."""
    now = timezone.now()
    quarter = periods_open_at(now)[1]
    head = User.objects.filter(role=Role.SALES_MANAGER).order_by("created_at", "id")[0]
    admin = become(User.objects.filter(role=Role.ADMIN)[0].pk, door="benchmark", request_id="")
    node = Node(user_id=head.pk)
    span = Span(node=node, period=quarter, first=now - timedelta(days=7), last=now)
    looks: dict[str, Callable[[], Any]] = {
        "roll-up of everything": lambda: roll_up(actor=admin, period=quarter),
        "roll-up by territory": lambda: roll_up(actor=admin, period=quarter, line=Line.TERRITORY),
        "roll-up of a branch": lambda: roll_up(actor=admin, period=quarter, user_id=head.pk),
        "what changed": lambda: waterfalls(span),
        "accuracy": lambda: accuracy_of(actor=admin, kind=Length.QUARTER),
    }
    print("; ".join(_in_words(name, _often(look)) for name, look in looks.items()))


def suggestions() -> None:
    """What the clock suggests about open deals."""
    print(f"{suggest_everywhere(actor=SYSTEM):,} suggestions")


def scores() -> None:
    """Every open deal scored anew, as after a model was published."""
    ids = list(Opportunity.objects.filter(kind="open").order_by("pk").values_list("pk", flat=True))
    changed = 0
    for start in range(0, len(ids), SCORED_AT_ONCE):
        changed += score_deals(ids=ids[start : start + SCORED_AT_ONCE], actor=SYSTEM)
    print(f"{len(ids):,} open deals, {changed:,} with another score")


def _often(look: Callable[[], Any]) -> list[float]:
    look()
    return [_seconds(look) for _ in range(10)]


def _seconds(look: Callable[[], Any]) -> float:
    began = time.perf_counter()
    look()
    return time.perf_counter() - began


def _in_words(name: str, took: Iterable[float]) -> str:
    found = sorted(took)
    return f"{name} {median(found) * 1000:.0f} ms, p95 {quantiles(found, n=20)[-1] * 1000:.0f} ms"
