"""The lead score: 0 to 100 from day one, each point with its reason.

Fit is who they are (title, size, revenue, a company address), intent is what they did (source, what
marketing saw). A trained model replaces these rules where it is better; until then nothing here
needs data.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.leads.rules.facts import LeadFacts

VERSION = "rules-1"
BASE = 20

_SENIORITY: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("chief", "ceo", "cto", "cfo", "coo", "cio", "founder", "owner", "president"), 18, "decides"),
    (("vp", "vice president", "head of", "director"), 14, "leads a department"),
    (("manager", "lead", "principal"), 8, "leads a team"),
)
_SOURCES: tuple[tuple[tuple[str, ...], int, str], ...] = (
    (("referral", "reference", "referred", "partner"), 16, "was recommended to us"),
    (("demo", "trial", "pricing", "contact form", "form", "chat"), 12, "asked for us"),
    (("webinar", "event", "conference", "download"), 8, "took part in something of ours"),
    (("organic", "direct", "google", "search"), 6, "looked for us"),
    (("cold", "purchased", "list"), -6, "was approached without asking"),
)
_FREE_MAIL = frozenset(
    (
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "hotmail.com",
        "outlook.com",
        "live.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "mail.ru",
        "proton.me",
        "protonmail.com",
    )
)


@dataclass(frozen=True)
class Reason:
    """Points for one fact, and the sentence that explains them."""

    feature: str
    points: int
    sentence: str


@dataclass(frozen=True)
class Score:
    """A score with its reasons, weightiest first."""

    value: int
    reasons: tuple[Reason, ...]
    version: str = VERSION


def score_lead(facts: LeadFacts) -> Score:
    """How promising a lead is, from what is known when it is captured."""
    found = (
        _seniority(facts),
        _size(facts),
        _revenue(facts),
        _source(facts),
        _address(facts),
        _reachable(facts),
        _marketing(facts),
    )
    reasons = sorted(
        (one for one in found if one and one.points),
        key=lambda one: (-abs(one.points), one.feature),
    )
    value = BASE + sum(one.points for one in reasons)
    return Score(max(0, min(100, value)), tuple(reasons))


def _seniority(facts: LeadFacts) -> Reason | None:
    title = f" {facts.title.casefold()} "
    for words, points, what in _SENIORITY:
        if any(word in title for word in words):
            return Reason("title", points, f"{facts.title} {what}.")
    return Reason("title", 2, "The title is known.") if facts.title else None


def _size(facts: LeadFacts) -> Reason | None:
    count = facts.employee_count
    if count is None:
        return None
    for smallest, points in ((1000, 14), (200, 12), (50, 8), (10, 4)):
        if count >= smallest:
            return Reason("employee_count", points, f"The company has {count:,} people.")
    return Reason("employee_count", -4, f"The company has only {count} people.")


def _revenue(facts: LeadFacts) -> Reason | None:
    revenue = facts.annual_revenue
    if revenue is None:
        return None
    for smallest, points in ((100_000_000, 12), (10_000_000, 10), (1_000_000, 5)):
        if revenue >= smallest:
            return Reason("annual_revenue", points, f"It earns {revenue:,.0f} a year.")
    return None


def _source(facts: LeadFacts) -> Reason | None:
    source = facts.source.casefold().replace("_", " ")
    for words, points, what in _SOURCES:
        if any(word in source for word in words):
            return Reason("source", points, f"{facts.source}: {what}.")
    return None


def _address(facts: LeadFacts) -> Reason | None:
    if facts.domain in _FREE_MAIL:
        return Reason("email", -4, "The e-mail address is a private one.")
    if facts.company:
        return Reason("email", 4, "A company and its own e-mail address are known.")
    return None


def _reachable(facts: LeadFacts) -> Reason | None:
    return Reason("phone", 4, "There is a phone number.") if facts.phone_key else None


def _marketing(facts: LeadFacts) -> Reason | None:
    if facts.marketing_score is None:
        return None
    points = round((facts.marketing_score - 50) * 0.4)
    return Reason("marketing_score", points, f"Marketing scored it {facts.marketing_score}.")
