"""The GraphQL schema: what each app lets be asked and done."""

import graphene

import apps.accounts.graphql
import apps.forecasts.graphql
import apps.intelligence.graphql
import apps.leads.graphql
import apps.opportunities.graphql
import apps.quotas.graphql
import apps.territories.graphql


class Query(
    apps.accounts.graphql.Query,
    apps.territories.graphql.Query,
    apps.opportunities.graphql.Query,
    apps.leads.graphql.Query,
    apps.quotas.graphql.Query,
    apps.intelligence.graphql.Query,
    graphene.ObjectType,
):
    """Rows within the caller's reach."""


class Mutation(
    apps.forecasts.graphql.Mutation,
    apps.opportunities.graphql.Mutation,
    apps.leads.graphql.Mutation,
    graphene.ObjectType,
):
    """Commands: the same as over REST."""


schema = graphene.Schema(query=Query, mutation=Mutation)
