"""Addresses of webhooks, and where partners send their messages."""

from django.urls import path

from apps.integrations.api.inbound import Inbound
from apps.integrations.api.webhooks import (
    DeliveryAgain,
    WebhookCollection,
    WebhookDeliveries,
    WebhookItem,
    WebhookPause,
    WebhookReplay,
    WebhookResumption,
    WebhookRotation,
    WebhookTest,
)

urlpatterns = [
    path("inbound/<str:partner>", Inbound.as_view()),
    path("webhooks", WebhookCollection.as_view()),
    path("webhooks/<uuid:target_id>", WebhookItem.as_view()),
    path("webhooks/<uuid:target_id>/rotate", WebhookRotation.as_view()),
    path("webhooks/<uuid:target_id>/pause", WebhookPause.as_view()),
    path("webhooks/<uuid:target_id>/resume", WebhookResumption.as_view()),
    path("webhooks/<uuid:target_id>/test", WebhookTest.as_view()),
    path("webhooks/<uuid:target_id>/replay", WebhookReplay.as_view()),
    path("webhooks/<uuid:target_id>/deliveries", WebhookDeliveries.as_view()),
    path("webhooks/deliveries/<uuid:delivery_id>/again", DeliveryAgain.as_view()),
]
