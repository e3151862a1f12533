"""Accounts, leads and deals of three years, as rows for COPY.

Everything is a function of the seed and the number of rows. Moments grow with the row's number, so
that ids, moments and the order in the table agree, as they do in a real system.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.filling import words
from benchmarks.filling.market import Market, Territory
from benchmarks.filling.people import person
from benchmarks.filling.text import NULL, day, identifier, moment

DAY = 86_400.0
YEARS = 3
ACCOUNT, LEAD, DEAL, SPAN, CHANGE = 10, 11, 12, 13, 14
SYSTEM = "00000000-0000-7000-8000-000000000001"
# A lead becomes the deal that begins this share of all deals later.
CONVERSION_LAG = 0.02
ELSEWHERE = 0.002
UNROUTED = 0.03
IN_BIN = 0.004

# Stage, probability, forecast category, and the share of its life at which a deal enters it.
OPEN_STAGES = (
    ("discovery", 20, "pipeline", 0.0),
    ("qualification", 40, "pipeline", 0.3),
    ("proposal", 50, "best_case", 0.55),
    ("negotiation", 90, "commit", 0.8),
)
WON = ("closed_won", 100, "closed")
LOST = ("closed_lost", 0, "omitted")
DAYS_MEDIAN = 165
LIVES = 100_000

Row = tuple[str, ...]


@dataclass(frozen=True)
class Account:
    """What leads and deals take from their account."""

    id: str
    name: str
    domain: str
    owner: str
    industry: str
    employees: int
    revenue: int
    city: str


class Step(NamedTuple):
    """A stage that a deal entered."""

    key: str
    stage: str
    kind: str
    probability: int
    category: str
    at: str


class Company:
    """A seller's three years, ending now."""

    def __init__(self, rows: int, market: Market, now: float, seed: int = 11) -> None:
        self.rows = rows
        self.market = market
        self.now = now
        self.random = random.Random(seed)
        self.accounts: dict[str, list[Account]] = {}
        self.stages: dict[str, tuple[str, str]] = {}
        self.pipeline = ""
        self.lag = max(1, int(rows * CONVERSION_LAG))
        gauss = self.random.lognormvariate
        self._amounts = [min(5e7, round(gauss(9.9, 1.15), 2)) for _ in range(LIVES)]
        self._lives = [gauss(math.log(DAYS_MEDIAN), 0.8) * DAY for _ in range(LIVES)]

    def begins(self, number: int, of: int) -> float:
        """When the row of a number came to be: a little more of them each month."""
        span = YEARS * 365 * DAY
        return self.now - span + span * ((number + 0.5) / of) ** 0.8

    def account_rows(self) -> Iterator[Row]:
        """Rows of `accounts_account`; remembers them by territory."""
        count = self.rows // 5
        for number in range(count):
            leaf = self.market.pick()
            account = self._account(number, count, leaf)
            self.accounts.setdefault(leaf.id, []).append(account)
            at = moment(self.begins(number, count))
            yield (
                *(account.id, at, at, NULL, NULL, account.name, account.name.casefold()),
                *(account.domain, account.industry, str(account.employees)),
                *(f"{account.revenue}.00", "USD", leaf.country, leaf.state, account.city),
                *(f"{number % 90000 + 10000}", account.owner, leaf.id, "{}", "1"),
            )

    def _account(self, number: int, count: int, leaf: Territory) -> Account:
        first, second, third = words.COMPANY_FIRST, words.COMPANY_SECOND, words.COMPANY_THIRD
        rest, a = divmod(number, len(first))
        rest, b = divmod(rest, len(second))
        rest, c = divmod(rest, len(third))
        name = f"{first[a]} {second[b]} {third[c]}" + (f" {rest + 1}" if rest else "")
        employees = int(self.random.lognormvariate(4.5, 1.6)) + 1
        return Account(
            identifier(ACCOUNT, number, self.begins(number, count)),
            name,
            f"{name.replace(' ', '').lower()}.example",
            self._member(leaf),
            words.INDUSTRIES[number % len(words.INDUSTRIES)],
            employees,
            employees * 120_000,
            words.CITIES[number % len(words.CITIES)],
        )

    def _member(self, leaf: Territory) -> str:
        """Whose a row of a territory is: some members have more than others."""
        place = int(len(leaf.members) * self.random.random() ** 1.5)
        return leaf.members[place]

    def _place(self) -> tuple[Territory, Account]:
        leaf = self.market.pick()
        known = self.accounts.get(leaf.id)
        while not known:
            leaf = self.market.pick()
            known = self.accounts.get(leaf.id)
        return leaf, known[int(len(known) * self.random.random() ** 1.5)]

    def lead_rows(self) -> Iterator[tuple[Row, Row]]:
        """Rows of `core_datakey`, each with the one of `leads_lead` that it opens."""
        for number in range(self.rows):
            yield self._lead(number)

    def _lead(self, number: int) -> tuple[Row, Row]:
        chance = self.random.random
        began = self.begins(number, self.rows)
        leaf, account = self._place()
        owner, territory = self._member(leaf), leaf.id
        if (draw := chance()) < UNROUTED:
            owner = territory = NULL
        elif draw < UNROUTED + ELSEWHERE:
            owner = self.market.rep.id
        first = words.FIRST_NAMES[int(len(words.FIRST_NAMES) * chance() ** 1.6)]
        last = words.LAST_NAMES[int(len(words.LAST_NAMES) * chance() ** 1.6)]
        email = f"{first}.{last}{number}@{account.domain}"
        phone = f"+1202{number % 10_000_000:07d}" if chance() < 0.7 else ""
        title = words.TITLES[int(len(words.TITLES) * chance())]
        source = words.SOURCES[int(len(words.SOURCES) * chance() ** 1.5)]
        score = int(20 + 70 * chance() * chance() + 10 * chance())
        status, converted = self._status(number, began)
        changed = moment(min(self.now, began + chance() * 60 * DAY))
        at, lead = moment(began), identifier(LEAD, number, began)
        who = person(lead, number, began, at, email, phone)
        in_bin = status == "new" and chance() < IN_BIN
        size = f"The company has {account.employees} people."
        reasons = (
            f'[{{"feature":"title","points":8,"sentence":"{title} leads a team."}},'
            f'{{"feature":"employee_count","points":8,"sentence":"{size}"}},'
            f'{{"feature":"email","points":4,"sentence":"A company address is known."}}]'
        )
        return who.key, (
            *(lead, at, changed),
            *((changed, SYSTEM) if in_bin else (NULL, NULL)),
            *(who.key_id, source, status, first, last),
            *(who.email, who.email_key, who.phone, who.phone_key),
            *(account.name, account.name.casefold(), title, account.industry),
            *(str(account.employees), f"{account.revenue}.00", "USD"),
            *(leaf.country, leaf.state, account.city, f"{number % 90000 + 10000}"),
            *("", "", "", '{"first_touch":"ad","touches":3}', who.metadata),
            *(str(score), reasons, "rules-1", at, NULL, owner, territory),
            *("By country and state.", "", *converted, changed if chance() < 0.5 else NULL, "1"),
        )

    def _status(self, number: int, began: float) -> tuple[str, Row]:
        """A quarter were converted, into the deal that begins a little later."""
        if number % 4 == 0 and number + self.lag < self.rows:
            deal = number + self.lag
            at = self.begins(deal, self.rows)
            return "converted", (identifier(DEAL, deal, at), NULL, NULL, moment(at))
        draw = self.random.random() ** (1.0 + (self.now - began) / (400 * DAY))
        status = "unqualified" if draw < 0.35 else "contacted" if draw < 0.7 else "new"
        if 0.6 < draw < 0.68:
            status = "qualified"
        return status, (NULL, NULL, NULL, NULL)

    def deal_rows(self) -> Iterator[tuple[Row, list[Row], list[Row]]]:
        """Rows of `opportunities_opportunity`, each with those of its spans and its changes."""
        for number in range(self.rows):
            yield self._deal(number)

    def _deal(self, number: int) -> tuple[Row, list[Row], list[Row]]:
        chance = self.random.random
        began = self.begins(number, self.rows)
        leaf, account = self._place()
        owner = account.owner if chance() < 0.8 else self._member(leaf)
        if chance() < ELSEWHERE:
            owner = self.market.rep.id
        life = self._lives[int(LIVES * chance())]
        is_open = began + life > self.now
        path = self._path(began, life, is_open)
        stands = path[-1]
        won, lost = stands.key == "closed_won", stands.key == "closed_lost"
        last_open = stands if is_open else path[-2]
        amount = f"{self._amounts[int(LIVES * chance())]:.2f}"
        closes = day(began + life * (0.7 + 0.5 * chance())) if is_open else stands.at[:10]
        if chance() < 0.02 and is_open:
            closes = NULL
        deal = identifier(DEAL, number, began)
        source = number - self.lag
        lead = NULL
        if source >= 0 and source % 4 == 0:
            lead = identifier(LEAD, source, self.begins(source, self.rows))
        reason = words.LOSS_REASONS[number % len(words.LOSS_REASONS)] if lost else ""
        offer = words.OFFERS[number % len(words.OFFERS)]
        score = str(min(100, max(0, int(stands.probability * 0.8 + 20 * chance()))))
        row: Row = (
            *(deal, path[0].at, stands.at, NULL, NULL, f"{account.name} {offer}", account.id, lead),
            *(owner, leaf.id, self.pipeline, stands.stage, stands.key, stands.kind, stands.at),
            *(last_open.stage, str(stands.probability), "stage", stands.category, "stage"),
            *(amount, "USD", NULL, closes, NULL if is_open else stands.at[:10]),
            *(stands.at if won else NULL, stands.at if lost else NULL, "0", reason, ""),
            *(words.NEXT_STEPS[int(5 * chance())] if is_open else "", score),
            *('[{"key":"stage","points":20,"text":"Where it stands."}]', "rules", "rules-1"),
            *(NULL, NULL, "", "", "[]", "", "", "{}", str(len(path)), NULL),
        )
        numbers = range(number * 8, number * 8 + len(path))
        spans: list[Row] = [
            (identifier(SPAN, one, began), deal, step.stage, step.at, left)
            for one, step, left in zip(
                numbers, path, (*(step.at for step in path[1:]), NULL), strict=True
            )
        ]
        worth = (amount, closes, owner)
        return (
            row,
            spans,
            _changes([identifier(CHANGE, one, began) for one in numbers], deal, path, worth),
        )

    def _path(self, began: float, life: float, is_open: bool) -> list[Step]:
        """The stages a deal went through."""
        skips = self.random.random() < 0.3
        lived = min(1.0, (self.now - began) / life)
        loses = not is_open and self.random.random() < 0.68
        reached = min(lived, self.random.random() ** 0.5) if loses else lived
        path = [
            Step(key, *self.stages[key], probability, category, moment(began + share * life))
            for key, probability, category, share in OPEN_STAGES
            if share <= reached and not (skips and key == "qualification")
        ]
        if not is_open:
            key, probability, category = LOST if loses else WON
            at = moment(began + life)
            path.append(Step(key, *self.stages[key], probability, category, at))
        return path


def _changes(ids: list[str], deal: str, path: list[Step], worth: tuple[str, str, str]) -> list[Row]:
    """One row for the beginning of a deal and one for each move."""
    amount, closes, owner = worth
    changes: list[Row] = []
    before: Step | None = None
    for one, step in zip(ids, path, strict=True):
        was_stage, was_amount, was_closes, was_owner, was_probability, was_category = (
            (before.stage, amount, closes, owner, str(before.probability), before.category)
            if before
            else (NULL, NULL, NULL, NULL, NULL, "")
        )
        changes.append(
            (
                *(one, deal, str(len(changes) + 1), _kind_of_change(step, before), step.at, owner),
                *("rest", "", was_stage, step.stage, was_amount, amount, "USD", was_closes, closes),
                *(was_owner, owner, was_probability, str(step.probability)),
                *(was_category, step.category, ""),
            )
        )
        before = step
    return changes


def _kind_of_change(step: Step, before: Step | None) -> str:
    if before is None:
        return "created"
    return "moved" if step.kind == "open" else step.kind
