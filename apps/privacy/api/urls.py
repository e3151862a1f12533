"""Addresses of privacy."""

from django.urls import path

from apps.privacy.api.people import (
    Consents,
    Erasures,
    ExportedFile,
    ExportItem,
    Exports,
    People,
)

urlpatterns = [
    path("privacy/people", People.as_view()),
    path("privacy/exports", Exports.as_view()),
    path("privacy/exports/<uuid:export_id>", ExportItem.as_view()),
    path(
        "privacy/exports/<uuid:export_id>/file.zip",
        ExportedFile.as_view(),
        name="exported-file",
    ),
    path("privacy/erasures", Erasures.as_view()),
    path("privacy/consents", Consents.as_view()),
]
