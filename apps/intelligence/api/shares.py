"""How shares are told: with the interval in which they lie."""

from __future__ import annotations

from rest_framework import serializers

from apps.intelligence.rules.shares import Share


class ShareAnswer(serializers.Serializer):
    """A share, and between which it lies for 95 of 100 such counts."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


def share_told(share: Share | None) -> dict[str, float] | None:
    """A share as JSON shows it."""
    if share is None:
        return None
    return {name: round(getattr(share, name), 4) for name in ("value", "low", "high")}
