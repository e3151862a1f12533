"""Suggestions in the GraphQL schema."""

from __future__ import annotations

import graphene

from apps.core.graphql.queries import choice, listed
from apps.core.graphql.rows import RowType
from apps.core.graphql.scalars import enumeration
from apps.intelligence.fields import SUGGESTIONS
from apps.intelligence.rules.suggestions import Decision
from apps.users.graphql import User

SuggestionDecision = enumeration(
    Decision, "SuggestionDecision", "What somebody made of a suggestion."
)


class Suggestion(RowType):
    """One thing to do about an open deal or lead."""

    class Meta:
        listing = SUGGESTIONS
        required = ("key", "sentence", "reason", "gain", "made_at")
        related = {"decided_by": User}


class Query(graphene.ObjectType):
    """What can be asked of suggestions."""

    class Meta:
        abstract = True

    suggestions = listed(
        Suggestion,
        order=("is_open", "opportunity_id", "lead_id"),
        narrowings={"decision": choice(SuggestionDecision, "decision")},
    )
