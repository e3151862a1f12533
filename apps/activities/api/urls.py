"""Addresses of activities and timelines."""

from django.urls import path

from apps.activities.api.activities import (
    AccountTimeline,
    ActivityCollection,
    ActivityCompletion,
    ActivityItem,
    ActivityRestoration,
    LeadTimeline,
    OpportunityTimeline,
)
from apps.activities.api.analytics import ActivityAnalytics
from apps.activities.api.summary import ActivitySummaryView
from apps.activities.api.timelines import AccountStory, LeadStory, OpportunityStory

urlpatterns = [
    path("activities", ActivityCollection.as_view()),
    path("activities/analytics", ActivityAnalytics.as_view()),
    path("activities/summary", ActivitySummaryView.as_view()),
    path("activities/<uuid:activity_id>", ActivityItem.as_view()),
    path("activities/<uuid:activity_id>/complete", ActivityCompletion.as_view()),
    path("activities/<uuid:activity_id>/restore", ActivityRestoration.as_view()),
    path("leads/<uuid:lead_id>/activities", LeadTimeline.as_view()),
    path("opportunities/<uuid:opportunity_id>/activities", OpportunityTimeline.as_view()),
    path("accounts/<uuid:account_id>/activities", AccountTimeline.as_view()),
    path("leads/<uuid:lead_id>/timeline", LeadStory.as_view()),
    path("opportunities/<uuid:opportunity_id>/timeline", OpportunityStory.as_view()),
    path("accounts/<uuid:account_id>/timeline", AccountStory.as_view()),
]
