"""`/territories`: the tree and its rules."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.api.bodies import Body, Flag, Identifier, Money, Text, WholeNumber
from apps.core.api.endpoint import Endpoint, listed, operation, shown
from apps.core.api.schema import Card, row_serializer
from apps.core.permissions import require
from apps.core.places import country_code
from apps.territories.fields import TERRITORIES
from apps.territories.models import Territory
from apps.territories.permissions import READ_TERRITORY
from apps.territories.rules import Subject, overlaps
from apps.territories.selectors import compile_rules, current_atlas
from apps.territories.services.tree import draw_territory, redraw_territory

TAGS = ("territories",)
OUT_OF_REACH = "A territory out of your reach claims it."


def _texts(longest: int) -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=longest), max_length=5000, required=False)


class TerritoryFacts(Body):
    """A territory's place and rules; those left out keep their value or stay empty."""

    name = Text(max_length=255)
    type = serializers.ChoiceField(Territory.Type.choices)
    owner_id = Identifier(required=False, allow_null=True)
    parent_territory_id = Identifier(required=False, allow_null=True)
    priority = WholeNumber(required=False, min_value=-1000, max_value=1000)
    assignment = serializers.ChoiceField(Territory.Assignment.choices, required=False)
    is_active = Flag(required=False)
    countries = _texts(100)
    states = _texts(100)
    zip_codes = _texts(30)
    industry = Text(max_length=100, required=False, allow_blank=True)
    min_employee_count = WholeNumber(required=False, allow_null=True)
    max_employee_count = WholeNumber(required=False, allow_null=True)
    min_annual_revenue = Money(required=False, allow_null=True)
    max_annual_revenue = Money(required=False, allow_null=True)
    named_accounts = _texts(255)


class TerritoryChange(TerritoryFacts):
    """A change of a territory: any of its facts."""

    name = Text(max_length=255, required=False)
    type = serializers.ChoiceField(Territory.Type.choices, required=False)


class TerritoryReceipt(serializers.Serializer):
    """A territory that was drawn."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class SubjectBody(Body):
    """The facts of a lead or account that routing asks about."""

    country = Text(max_length=100, required=False, default="")
    state = Text(max_length=100, required=False, default="")
    postal_code = Text(max_length=20, required=False, default="")
    industry = Text(max_length=100, required=False, default="")
    company = Text(max_length=255, required=False, default="")
    domain = Text(max_length=255, required=False, default="")
    employee_count = WholeNumber(required=False, allow_null=True, default=None)
    annual_revenue = Money(required=False, allow_null=True, default=None)


class LoserAnswer(Card):
    """A territory that was not chosen, and why."""

    why = serializers.CharField()


class MatchAnswer(serializers.Serializer):
    """Where something would be routed."""

    territory = Card(allow_null=True)
    reason = serializers.CharField()
    is_conflict = serializers.BooleanField()
    losers = LoserAnswer(many=True)


class ConflictAnswer(serializers.Serializer):
    """Two territories of equal rank that can claim the same record."""

    first = Card()
    second = Card()


class ConflictsAnswer(serializers.Serializer):
    """Every such pair."""

    data = ConflictAnswer(many=True)


class TerritoryCollection(Endpoint):
    """`/territories`."""

    get = listed(TERRITORIES, summary="Territories within reach", tags=TAGS)

    @operation(
        summary="Draw a territory",
        body=TerritoryFacts,
        answer=TerritoryReceipt,
        status=201,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        territory = draw_territory(**body, actor=actor)
        return {
            "id": territory.pk,
            "name": territory.name,
            "is_active": territory.is_active,
            "created_at": territory.created_at,
        }


class TerritoryItem(Endpoint):
    """`/territories/{territory_id}`."""

    get = shown(TERRITORIES, summary="A territory", tags=TAGS)

    @operation(
        summary="Redraw a territory",
        body=TerritoryChange,
        answer=row_serializer(TERRITORIES),
        tags=TAGS,
    )
    def put(self, actor: Actor, territory_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
        redraw_territory(territory_id=territory_id, **body, actor=actor)
        return TERRITORIES.one(actor, territory_id)


class TerritoryMatch(Endpoint):
    """`/territories/match`: a dry run of routing."""

    @operation(
        summary="Explain where something would be routed",
        body=SubjectBody,
        answer=MatchAnswer,
        keeps_answer=False,
        tags=TAGS,
    )
    def post(self, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
        require(actor, READ_TERRITORY)
        body["country"] = country_code(body["country"]) or body["country"]
        match = current_atlas().match(Subject(**body))
        within = set(Territory.objects.visible_to(actor).values_list("pk", flat=True))
        winner = match.winner
        is_seen = winner is not None and winner.territory_id in within
        return {
            "territory": {"id": winner.territory_id, "name": winner.name}
            if winner is not None and is_seen
            else None,
            "reason": match.reason if is_seen or winner is None else OUT_OF_REACH,
            "is_conflict": match.is_conflict,
            "losers": [
                {"id": one.territory_id, "name": one.name, "why": one.why}
                for one in match.losers
                if one.territory_id in within
            ],
        }


class TerritoryConflicts(Endpoint):
    """`/territories/conflicts`."""

    @operation(
        summary="Territories of equal rank that can claim the same record",
        answer=ConflictsAnswer,
        tags=TAGS,
    )
    def get(self, actor: Actor) -> dict[str, Any]:
        require(actor, READ_TERRITORY)
        within = set(Territory.objects.visible_to(actor).values_list("pk", flat=True))
        found = overlaps(compile_rules(Territory.objects.all()))
        return {
            "data": [
                {
                    "first": {"id": pair.first.territory_id, "name": pair.first.name},
                    "second": {"id": pair.second.territory_id, "name": pair.second.name},
                }
                for pair in found
                if {pair.first.territory_id, pair.second.territory_id} <= within
            ]
        }
