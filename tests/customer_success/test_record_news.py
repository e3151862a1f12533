"""What partners say of customers is kept once: the newest counts, whoever says it, in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import BusinessEvent, Change
from apps.customer_success.models import Case, Measure
from apps.customer_success.rules import level_of
from apps.customer_success.services.cases import record_feature_request, record_ticket
from apps.customer_success.services.measures import record_health, record_nps, record_usage
from apps.customer_success.services.news import News
from apps.users.models import Role
from tests.at_once import outcomes_at_once
from tests.factories.accounts import AccountFactory
from tests.factories.customer_success import make_health, make_ticket, news_of
from tests.factories.users import UserFactory, actor_of

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def account(rep):
    return AccountFactory(owner=rep, domain="acme.example", external_ids={"cx": "C-7"})


def told(*names):
    rows = BusinessEvent.objects.filter(name__in=names).order_by("sequence")
    return [(one.name, one.payload) for one in rows]


@pytest.mark.parametrize(
    ("score", "level"),
    [(0, "poor"), (39, "poor"), (40, "at_risk"), (69, "at_risk"), (70, "healthy")],
)
def test_a_score_of_health_has_a_level(score, level):
    assert level_of(score) == level


def test_the_newest_counts_whatever_comes_first(account):
    make_health(account, 80, as_of=AT)
    make_health(account, 35, as_of=AT + 2 * HOUR)
    make_health(account, 60, as_of=AT + HOUR)
    make_health(account, 35, as_of=AT + 2 * HOUR)
    measure = Measure.objects.get()
    assert (measure.score, measure.previous_score, measure.level) == (35, 80, "poor")
    assert (measure.as_of, measure.partner) == (AT + 2 * HOUR, "cx")
    assert Change.objects.filter(kind="measures").count() == 2


def test_of_two_partners_the_newest_counts(account):
    make_health(account, 80, as_of=AT + HOUR)
    make_health(account, 20, as_of=AT, partner="success")
    assert Measure.objects.get().partner == "cx"
    make_health(account, 20, as_of=AT + 2 * HOUR, partner="success")
    measure = Measure.objects.get()
    assert (measure.partner, measure.score) == ("success", 20)


def test_health_is_told_when_its_level_changes(account):
    for hours, score in enumerate((80, 75, 65, 35, 34, 90)):
        make_health(account, score, as_of=AT + hours * HOUR)
    heard = [one for _, one in told("account.health_changed")]
    assert [(one["previous_level"], one["level"]) for one in heard] == [
        ("", "healthy"),
        ("healthy", "at_risk"),
        ("at_risk", "poor"),
        ("poor", "healthy"),
    ]
    assert [(one["previous_score"], one["score"]) for one in heard] == [
        (None, 80),
        (75, 65),
        (65, 35),
        (34, 90),
    ]
    assert {one["account_id"] for one in heard} == {str(account.pk)}


def test_each_kind_of_measure_is_kept_by_itself(account, system):
    news = news_of(account, as_of=AT)
    record_health(news=news, score=50, actor=system)
    record_nps(news=news, score=-100, actor=system)
    record_usage(news=news, metrics={"active_users": 12, "share": 0.5}, actor=system)
    record_usage(news=news_of(account, as_of=AT + HOUR), metrics={"logins": 3}, actor=system)
    found = {one.kind: (one.score, one.metrics) for one in Measure.objects.all()}
    assert found == {"health": (50, {}), "nps": (-100, {}), "usage": (None, {"logins": 3})}


@pytest.mark.parametrize(
    "known",
    [
        lambda account: {"account_id": str(account.pk)},
        lambda account: {"account_id": "C-7"},
        lambda account: {"account_id": "unheard of", "domain": "https://www.acme.example/about"},
    ],
    ids=["our id", "the partner's", "domain"],
)
def test_an_account_is_recognised(account, system, known):
    AccountFactory(domain="other.example", external_ids={"support": "C-7"})
    record_health(news=News(partner="cx", as_of=AT, **known(account)), score=50, actor=system)
    assert Measure.objects.get().account_id == account.pk


@pytest.mark.parametrize(
    "unknown", [{"account_id": "C-8"}, {"account_id": "C-7", "partner": "support"}]
)
def test_an_account_that_nobody_knows_is_not_found(account, system, unknown):
    with pytest.raises(NotFound):
        record_health(news=news_of(account, **unknown), score=50, actor=system)
    assert Measure.objects.count() == 0


def test_refuses_whom_it_does_not_concern(account, rep, outsider):
    blind = UserFactory(role=Role.INTEGRATION)
    for who in (outsider, blind):
        with pytest.raises(NotFound):
            record_health(news=news_of(account), score=50, actor=actor_of(who))
        with pytest.raises(NotFound):
            make_ticket(account, actor=actor_of(who))
    with pytest.raises(NotAllowed):
        record_health(news=news_of(account), score=50, actor=actor_of(rep))
    with pytest.raises(NotAllowed):
        make_ticket(account, actor=actor_of(rep))
    assert (Measure.objects.count(), Case.objects.count()) == (0, 0)
    assert told("account.health_changed", "account.critical_ticket_opened") == []


def test_refuses_news_of_the_future(account, system):
    ahead = timezone.now() + timedelta(minutes=6)
    with pytest.raises(InvalidInput, match="future"):
        record_health(news=news_of(account, as_of=ahead), score=50, actor=system)
    with pytest.raises(InvalidInput, match="future"):
        make_ticket(account, as_of=ahead)
    assert (Measure.objects.count(), Case.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("score", "kind"), [(101, record_health), (-1, record_health), (101, record_nps)]
)
def test_the_database_keeps_scores_in_their_range(account, system, score, kind):
    with pytest.raises(IntegrityError), transaction.atomic():
        kind(news=news_of(account), score=score, actor=system)
    assert Measure.objects.count() == 0


def test_a_critical_ticket_is_told_when_it_opens_and_when_it_is_solved(account):
    steps = [
        {"severity": "high"},
        {"severity": "critical"},
        {"severity": "critical", "status": "pending"},
        {"severity": "critical", "status": "solved"},
        {"severity": "critical", "status": "closed"},
        {"severity": "critical", "status": "open"},
        {"severity": "low", "status": "open"},
    ]
    for hours, step in enumerate(steps):
        make_ticket(account, as_of=AT + hours * HOUR, opened_at=AT, **step)
    case = Case.objects.get()
    heard = told("account.critical_ticket_opened", "account.critical_ticket_closed")
    assert [name.rpartition("_")[2] for name, _ in heard] == ["opened", "closed"] * 2
    assert {(one["account_id"], one["ticket_id"]) for _, one in heard} == {
        (str(account.pk), str(case.pk))
    }
    assert (case.severity, case.status, case.ended_at) == ("low", "open", None)


def test_older_news_of_a_ticket_changes_nothing(account):
    make_ticket(account, status="solved", as_of=AT + HOUR, opened_at=AT)
    make_ticket(account, status="open", as_of=AT, opened_at=AT)
    make_ticket(account, status="open", as_of=AT + HOUR, opened_at=AT)
    case = Case.objects.get()
    assert (case.status, case.ended_at) == ("solved", AT + HOUR)
    assert told("account.critical_ticket_opened") == []


def test_two_partners_may_use_the_same_id(account):
    make_ticket(account, partner="cx")
    make_ticket(account, partner="support", severity="low")
    assert sorted(Case.objects.values_list("partner", "severity")) == [
        ("cx", "critical"),
        ("support", "low"),
    ]


def test_a_ticket_can_turn_out_to_be_another_account_s(account, rep):
    other = AccountFactory(owner=rep)
    make_ticket(account, as_of=AT, opened_at=AT)
    make_ticket(other, as_of=AT + HOUR, opened_at=AT)
    assert Case.objects.get().account_id == other.pk
    heard = told("account.critical_ticket_opened", "account.critical_ticket_closed")
    assert [(name.rpartition("_")[2], one["account_id"]) for name, one in heard] == [
        ("opened", str(account.pk)),
        ("closed", str(account.pk)),
        ("opened", str(other.pk)),
    ]


def test_nobody_takes_a_ticket_from_an_account_they_do_not_see(account):
    client = UserFactory(role=Role.INTEGRATION)
    own = AccountFactory(owner=client)
    make_ticket(account, as_of=AT, opened_at=AT)
    with pytest.raises(NotFound):
        make_ticket(own, as_of=AT + HOUR, opened_at=AT, actor=actor_of(client))
    assert Case.objects.get().account_id == account.pk


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "solved", "ended_at": AT - HOUR},
        {"opened_at": datetime(1, 1, 1, tzinfo=UTC)},
    ],
)
def test_refuses_times_that_make_no_sense(account, wrong):
    with pytest.raises(InvalidInput):
        make_ticket(account, **{"opened_at": AT, **wrong})
    assert Case.objects.count() == 0


def test_a_feature_request_goes_its_way(account, system):
    for hours, status in enumerate(("open", "planned", "in_progress", "shipped")):
        record_feature_request(
            news=news_of(account, as_of=AT + hours * HOUR),
            external_id="F-1",
            title="Dark mode",
            status=status,
            opened_at=AT,
            actor=system,
        )
    case = Case.objects.get()
    assert (case.status, case.severity, case.ended_at) == ("shipped", "", AT + 3 * HOUR)
    with pytest.raises(IntegrityError), transaction.atomic():
        record_feature_request(
            news=news_of(account),
            external_id="F-1",
            title="Dark mode",
            status="solved",
            opened_at=AT,
            actor=system,
        )


@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_kept_as_one(account):
    moments = [AT + one * HOUR for one in (2, 0, 3, 1)]
    outcomes_at_once(lambda at: make_health(account, 50 + at.hour, as_of=at), moments)
    assert Measure.objects.get().score == 50 + (AT + 3 * HOUR).hour
    did = outcomes_at_once(
        lambda at: make_ticket(account, as_of=at, opened_at=AT, title=f"{at.hour}"), moments
    )
    assert did == ["done"] * 4
    assert Case.objects.get().title == str((AT + 3 * HOUR).hour)
    assert len(told("account.critical_ticket_opened")) == 1


def test_a_ticket_takes_its_facts_from_the_newest(account, system):
    record_ticket(
        news=news_of(account, as_of=AT),
        external_id="T-9",
        title="Slow",
        severity="low",
        status="closed",
        opened_at=AT - 2 * HOUR,
        ended_at=AT - HOUR,
        actor=system,
    )
    case = Case.objects.get()
    assert (case.title, case.ended_at, case.is_critical) == ("Slow", AT - HOUR, False)
