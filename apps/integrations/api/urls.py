"""Where partners send their messages."""

from django.urls import path

from apps.integrations.api.inbound import Inbound

urlpatterns = [
    path("inbound/<str:partner>", Inbound.as_view()),
]
