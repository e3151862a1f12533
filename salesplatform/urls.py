"""Every address of the platform. Sales under /api/v1, without trailing slashes."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.core.api.system import health, metrics
from apps.core.graphql.endpoint import GraphQL, explorer
from apps.users.api.oauth import (
    TokenGrant,
    TokenRevocation,
    server_metadata,
    signing_keys,
)
from apps.users.pages.authorize import authorize
from salesplatform.schema import schema

API_V1 = [
    path("", include("apps.core.api.urls")),
    path("", include("apps.users.api.urls")),
    path("", include("apps.territories.api.urls")),
    path("", include("apps.leads.api.urls")),
    path("", include("apps.catalog.api.urls")),
    path("", include("apps.accounts.api.urls")),
    path("", include("apps.customer_success.api.urls")),
    path("", include("apps.opportunities.api.urls")),
    path("", include("apps.activities.api.urls")),
    path("", include("apps.quotas.api.urls")),
    path("", include("apps.contracts.api.urls")),
    path("", include("apps.intelligence.api.urls")),
    path("", include("apps.forecasts.api.urls")),
    path("", include("apps.commissions.api.urls")),
    path("", include("apps.integrations.api.urls")),
    path("", include("apps.privacy.api.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("health", health),
    path("metrics", metrics),
    path("api/v1/", include(API_V1)),
    path(".well-known/jwks.json", signing_keys, name="signing-keys"),
    path(".well-known/oauth-authorization-server", server_metadata),
    path("oauth/authorize", authorize, name="authorize"),
    path("oauth/token", TokenGrant.as_view(), name="oauth-token"),
    path("oauth/revoke", TokenRevocation.as_view(), name="oauth-revocation"),
    path("graphql", GraphQL.as_view(graphql_schema=schema.graphql_schema)),
    path("graphiql", explorer),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
]

handler400 = "apps.core.api.envelope.bad_request"
handler403 = "salesplatform.back_office.refusals.not_allowed"
handler404 = "salesplatform.back_office.refusals.not_found"
handler500 = "salesplatform.back_office.refusals.broken"
