"""What wins and what loses deals: groups of closed deals, with how sure their shares are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import TextChoices

from apps.intelligence.rules.shares import Share, share_of

# Fewer deals than that say nothing.
LEAST_COUNT = 10


class Aspect(TextChoices):
    """What closed deals are told apart by."""

    REASON = "reason"
    STAGE = "stage"
    COMPETITOR = "competitor"
    INDUSTRY = "industry"
    SIZE = "size"
    COUNTRY = "country"
    SOURCE = "source"
    OWNER = "owner"
    TERRITORY = "territory"
    CYCLE = "cycle"

    @property
    def is_of_losses(self) -> bool:
        """Whether only losses have it: a group's share is then its part of them, else what was won
        of the group."""
        return self in (Aspect.REASON, Aspect.STAGE)


@dataclass(frozen=True)
class Steps:
    """Numbers told apart by where they lie: each name goes up to its limit, the last one on."""

    limits: tuple[int, ...]
    names: tuple[str, ...]


# Companies by how many work there, deals by the days from beginning to close.
STEPS = {
    Aspect.SIZE: Steps(
        (10, 50, 200, 1000, 5000),
        ("1–10", "11–50", "51–200", "201–1,000", "1,001–5,000", "more than 5,000"),
    ),
    Aspect.CYCLE: Steps(
        (7, 30, 90, 180, 365),
        ("a week", "a month", "three months", "half a year", "a year", "longer"),
    ),
}


@dataclass(frozen=True)
class Tally:
    """Closed deals: how many were won and lost, and the days that half of them took at most."""

    won: int = 0
    lost: int = 0
    median_days: int | None = None

    @property
    def count(self) -> int:
        """All of them."""
        return self.won + self.lost

    @property
    def win_rate(self) -> Share | None:
        """What share was won."""
        return share_of(self.won, self.count)


@dataclass(frozen=True)
class Group:
    """Closed deals that have something in common, among all of them.

    Attributes:
        key: what they have in common; empty where nobody knows it.
        share: won of them, or theirs of all losses.
        rank: 1 for the largest share; None where they are too few.
        stands_out: "above" or "below" where its win rate is unlikely to be that of all, else "".
    """

    key: str
    name: str
    tally: Tally
    share: Share
    rank: int | None
    stands_out: str


def ranked(aspect: Aspect, total: Tally, tallies: Iterable[tuple[str, str, Tally]]) -> list[Group]:
    """The groups of an aspect: the telling ones from the largest share down, then the small ones.

    Args:
        aspect: what they were told apart by.
        total: all closed deals.
        tallies: key, name and deals of each group.
    """
    found = [
        (tally.count < LEAST_COUNT, -share.value, -tally.count, name, key, tally, share)
        for key, name, tally in tallies
        if (share := _share(aspect, total, tally)) is not None
    ]
    usual = None if aspect.is_of_losses else total.win_rate
    return [
        Group(
            key=key,
            name=name,
            tally=tally,
            share=share,
            rank=None if is_small else place,
            stands_out="" if is_small or usual is None else _stands_out(share, usual.value),
        )
        for place, (is_small, *_, name, key, tally, share) in enumerate(sorted(found), start=1)
    ]


def _share(aspect: Aspect, total: Tally, tally: Tally) -> Share | None:
    if aspect.is_of_losses:
        return share_of(tally.lost, total.lost)
    return tally.win_rate


def _stands_out(share: Share, usual: float) -> str:
    if share.low <= usual <= share.high:
        return ""
    return "above" if share.value > usual else "below"
