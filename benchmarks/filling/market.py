"""The market and its people: about 110 territories in a tree, 200 people, who works where.

`rep` sees two small territories and a few rows elsewhere, six in a thousand of everything;
`manager` heads the western branch, about a hundred territories and most of the people.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from benchmarks.filling import words
from benchmarks.filling.text import NULL, identifier, moment

PASSWORD = "benchmark"
REP_SHARE = 0.004
PEOPLE = 200
TEAMS = 10
EASTERN_REPS = 15
# The bench asks more of its people than the usual rate limit lets them.
UNLIMITED = ("1000000", "1000000")
MOST_MEMBERS = 10
_TERRITORIES, _PEOPLE, _MEMBERS = 1, 2, 3


@dataclass
class Territory:
    """A slice of the market; only leaves hold rows."""

    id: str
    name: str
    parent: Territory | None
    country: str = ""
    state: str = ""
    weight: float = 0.0
    owner: str = NULL
    assignment: str = "owner"
    members: list[str] = field(default_factory=list)


@dataclass
class Person:
    """Somebody who signs in."""

    id: str
    email: str
    name: str
    role: str
    manager: str = NULL


class Market:
    """Territories, people and members, the same for every size."""

    def __init__(self, began: float, seed: int = 7) -> None:
        self.began = began
        self.random = random.Random(seed)
        self.territories: list[Territory] = []
        self.people: list[Person] = []
        self._draw_tree()
        self._hire()
        self._weigh()
        self._staff()
        self.cumulative = list(accumulate(leaf.weight for leaf in self.leaves))

    @property
    def leaves(self) -> list[Territory]:
        """Territories that hold rows."""
        return [one for one in self.territories if one.weight or one.country]

    def person(self, name: str) -> Person:
        """Whoever signs in as `<name>@bench.test`."""
        return next(one for one in self.people if one.email == f"{name}@bench.test")

    def pick(self) -> Territory:
        """A leaf, large ones more often."""
        return self.random.choices(self._leaves, cum_weights=self.cumulative)[0]

    def _add(
        self, name: str, parent: Territory | None, *, country: str = "", state: str = ""
    ) -> Territory:
        number = len(self.territories)
        key = identifier(_TERRITORIES, number, self.began)
        one = Territory(key, name, parent, country, state)
        self.territories.append(one)
        return one

    def _draw_tree(self) -> None:
        world = self._add("World", None)
        self.west, self.east = self._add("West", world), self._add("East", world)
        states = self._add("United States", self.west)
        provinces = self._add("Canada", self.west)
        abroad = self._add("Other Americas and Europe", self.west)
        for state in words.STATES:
            self._add(state, states, country="US", state=state)
        for province in words.PROVINCES:
            self._add(province, provinces, country="CA", state=province)
        for country in words.WESTERN_COUNTRIES:
            self._add(f"Country {country}", abroad, country=country)
        for country in words.EASTERN_COUNTRIES:
            self._add(f"Country {country}", self.east, country=country)
        self._leaves = self.leaves

    def _hire(self) -> None:
        self._employ("admin", "admin")
        self._employ("viewer", "read_only")
        west = self._employ("manager", "sales_manager")
        east = self._employ("manager2", "sales_manager")
        self.west.owner, self.east.owner = west.id, east.id
        teams = [
            self._employ(f"team{n}", "sales_manager", west if n else east) for n in range(TEAMS)
        ]
        self.rep = self._employ("rep", "sales_rep", teams[1])
        for number in range(PEOPLE - len(self.people)):
            team = teams[0] if number < EASTERN_REPS else teams[1 + number % (TEAMS - 1)]
            self._employ(f"rep{number}", "sales_rep", team)

    def _employ(self, name: str, role: str, manager: Person | None = None) -> Person:
        number = len(self.people)
        first = words.FIRST_NAMES[number % len(words.FIRST_NAMES)]
        last = words.LAST_NAMES[number * 7 % len(words.LAST_NAMES)]
        one = Person(
            identifier(_PEOPLE, number, self.began),
            f"{name}@bench.test",
            f"{first} {last}",
            role,
            manager.id if manager else NULL,
        )
        self.people.append(one)
        return one

    def _weigh(self) -> None:
        """A few territories hold much; the rep's two hold a fixed share."""
        self.of_rep = [one for one in self._leaves if one.name in ("Vermont", "Wyoming")]
        others = [one for one in self._leaves if one not in self.of_rep]
        for rank, one in enumerate(others):
            one.weight = 1 / (rank % 46 + 5) ** 0.9
        whole = sum(one.weight for one in others)
        for one in others:
            one.weight *= (1 - REP_SHARE) / whole
        for one in self.of_rep:
            one.weight = REP_SHARE / len(self.of_rep)

    def _staff(self) -> None:
        reps = [one for one in self.people if one.role == "sales_rep" and one is not self.rep]
        east, west = reps[:EASTERN_REPS], reps[EASTERN_REPS:]
        turn = 0
        for rank, leaf in enumerate(self._leaves):
            pool = east if leaf.parent is self.east else west
            for _ in range(max(1, min(MOST_MEMBERS, round(leaf.weight * PEOPLE)))):
                leaf.members.append(pool[turn % len(pool)].id)
                turn += 1
            if leaf in self.of_rep:
                leaf.members.append(self.rep.id)
            leaf.owner = leaf.members[0]
            leaf.assignment = ("owner", "round_robin", "round_robin", "least_loaded")[rank % 4]

    def people_rows(self, password: str) -> Iterator[tuple[str, ...]]:
        """Rows of `users_user`."""
        at = moment(self.began)
        for one in self.people:
            is_admin = "t" if one.role == "admin" else "f"
            yield (
                *(one.id, at, at, password, is_admin, one.email, one.name, one.role),
                *(one.manager, "UTC", "t", "f", "0", *UNLIMITED),
            )

    def territory_rows(self) -> Iterator[tuple[str, ...]]:
        """Rows of `territories_territory`."""
        at = moment(self.began)
        for one in self.territories:
            parent = one.parent.id if one.parent else NULL
            countries = f"{{{one.country}}}" if one.country else "{}"
            states = f"{{{one.state}}}" if one.state else "{}"
            yield (
                *(one.id, at, at, one.name, "geographic", one.owner, parent, "0", one.assignment),
                *("t", countries, states, "{}", "", "{}"),
            )

    def member_rows(self) -> Iterator[tuple[str, ...]]:
        """Rows of `territories_territorymember`."""
        at = moment(self.began)
        number = 0
        for leaf in self._leaves:
            for member in dict.fromkeys(leaf.members):
                number += 1
                key = identifier(_MEMBERS, number, self.began)
                yield key, at, at, leaf.id, member, "rep", at[:10]
