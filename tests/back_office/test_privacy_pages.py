"""The pages of privacy, and what they add to the pages of people."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.core.models import Consent
from apps.leads.models import Lead
from apps.privacy.models import Erasure, Export
from tests.factories.leads import LeadFactory

JANE = "jane.doe@quagga.example"
ERASURES = "admin:privacy_erasure_add"


def test_erases_by_address_and_shows_what_was_taken(office, admin):
    lead = LeadFactory(email=JANE)
    client = office(admin)
    answer = client.post(reverse(ERASURES), {"email": JANE, "reason": "Request 7"}, follow=True)
    erasure = Erasure.objects.get()
    assert "1 rows" in answer.content.decode()
    page = client.get(reverse("admin:privacy_erasure_change", args=[erasure.pk])).content.decode()
    assert str(lead.pk) in page
    assert JANE not in page
    assert Lead.objects.get(pk=lead.pk).email == ""


@pytest.mark.parametrize("sent", [{"email": JANE}, {"reason": "x"}, {"email": "x", "reason": "x"}])
def test_asks_again_for_what_is_missing(office, admin, sent):
    LeadFactory(email=JANE)
    answer = office(admin).post(reverse(ERASURES), sent)
    assert "errornote" in answer.content.decode() or "errorlist" in answer.content.decode()
    assert not Erasure.objects.exists()


def test_says_when_nothing_is_held(office, admin):
    answer = office(admin).post(reverse(ERASURES), {"email": JANE, "reason": "x"})
    assert "Nothing is held on this person." in answer.content.decode()
    assert not Erasure.objects.exists()


def test_erases_and_exports_from_the_page_of_a_lead(office, admin, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    lead = LeadFactory(email=JANE)
    page = reverse("admin:leads_lead_change", args=[lead.pk])
    client = office(admin)
    client.post(page.replace("change/", "export_person/"))
    assert Export.objects.get().object_id == lead.pk
    listed = client.get(reverse("admin:privacy_export_changelist")).content.decode()
    assert str(lead.pk) in listed
    client.post(page.replace("change/", "erase_person/"), {"reason": "Request 8"})
    assert Erasure.objects.get().rows == {"leads": [str(lead.pk)]}
    assert Lead.objects.get(pk=lead.pk).last_name == ""


def test_notes_a_refusal(office, admin):
    sent = {"email": JANE, "purpose": "sale", "source": "by phone"}
    client = office(admin)
    client.post(reverse("admin:core_consent_add"), sent)
    consent = Consent.objects.get()
    assert (consent.purpose, consent.is_given, consent.actor_id) == ("sale", False, admin.pk)
    found = client.get(reverse("admin:core_consent_changelist"), {"q": JANE.upper()})
    assert "by phone" in found.content.decode()


@pytest.mark.parametrize(
    "address", ["privacy_export_changelist", "privacy_erasure_add", "core_consent_changelist"]
)
def test_nobody_else_comes_here(office, manager, address):
    assert office(manager).get(reverse(f"admin:{address}")).status_code == 403
