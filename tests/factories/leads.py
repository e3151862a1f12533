"""Leads."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from apps.core.contact_points import email_key
from apps.leads.models import Lead


class LeadFactory(DjangoModelFactory):
    """A new lead that nobody owns."""

    class Meta:
        model = Lead

    source = "webinar"
    first_name = "John"
    last_name = factory.Sequence(lambda number: f"Doe {number}")
    email = factory.Sequence(lambda number: f"john.doe{number}@acme.example")
    email_key = factory.LazyAttribute(lambda lead: email_key(lead.email))
    company = "Acme Corp"
    company_key = "acme corp"
