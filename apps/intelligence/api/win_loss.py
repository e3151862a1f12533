"""`/intelligence/win-loss`: what wins and what loses deals."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Days
from apps.core.api.endpoint import Endpoint, operation
from apps.intelligence.api.shares import ShareAnswer, share_told
from apps.intelligence.rules.win_loss import LEAST_COUNT, Aspect, Group, Tally
from apps.intelligence.selectors.win_loss import win_loss


class WinLossQuery(Days):
    """What closed deals are told apart by, and when they were closed."""

    usual_days = 365

    by = serializers.ChoiceField(Aspect.choices)


class ClosedAnswer(serializers.Serializer):
    """Closed deals; half of them took at most the median of days from beginning to close."""

    won = serializers.IntegerField()
    lost = serializers.IntegerField()
    median_days = serializers.IntegerField(allow_null=True)


class AllClosedAnswer(ClosedAnswer):
    """All closed deals of these days within reach."""

    win_rate = ShareAnswer(allow_null=True)


class GroupAnswer(ClosedAnswer):
    """Those that have something in common. Few of them have no rank and never stand out."""

    key = serializers.CharField(allow_blank=True, help_text="Empty where it is not known.")
    name = serializers.CharField(allow_blank=True)
    share = ShareAnswer()
    rank = serializers.IntegerField(
        allow_null=True, help_text=f"Of those with at least {LEAST_COUNT} deals."
    )
    stands_out = serializers.ChoiceField(("above", "below"), allow_blank=True)


class WinLossAnswer(serializers.Serializer):
    """Closed deals and their groups, the largest share first."""

    by = serializers.ChoiceField(Aspect.choices)
    share_of = serializers.ChoiceField(("won", "losses"), help_text="What `share` is a share of.")
    first = serializers.DateField()
    last = serializers.DateField()
    total = AllClosedAnswer()
    groups = GroupAnswer(many=True)
    groups_total = serializers.IntegerField(help_text="More than are told where they are many.")


class WinLossView(Endpoint):
    """`/intelligence/win-loss`."""

    @operation(
        summary="What wins and what loses deals, told apart by one thing",
        query=WinLossQuery,
        answer=WinLossAnswer,
        tags=("intelligence",),
    )
    def get(self, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
        first, last = WinLossQuery.taken_from(query)
        by = Aspect(query["by"])
        found = win_loss(actor=actor, by=by, first=first, last=last)
        return {
            "by": by,
            "share_of": "losses" if by.is_of_losses else "won",
            "first": first,
            "last": last,
            "total": {**_closed(found.total), "win_rate": share_told(found.total.win_rate)},
            "groups": [_group(one) for one in found.groups],
            "groups_total": found.groups_total,
        }


def _group(group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        **_closed(group.tally),
        "share": share_told(group.share),
        "rank": group.rank,
        "stands_out": group.stands_out,
    }


def _closed(tally: Tally) -> dict[str, Any]:
    return {"won": tally.won, "lost": tally.lost, "median_days": tally.median_days}
