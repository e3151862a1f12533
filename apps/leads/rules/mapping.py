"""The facts of a lead that a file can fill, and how their columns are usually headed."""

from __future__ import annotations

from apps.core.imports.mapping import Targets
from apps.leads.rules.facts import OBJECTS, WRITABLE

TARGETS = Targets(
    noun="a lead",
    names=tuple(name for name in WRITABLE if name not in OBJECTS),
    objects=OBJECTS,
    synonyms={
        "email": ("email", "email address", "mail", "e mail", "work email"),
        "first_name": ("first name", "firstname", "given name", "forename"),
        "last_name": ("last name", "lastname", "surname", "family name"),
        "phone": ("phone", "phone number", "mobile", "telephone", "mobile phone"),
        "company": (
            *("company", "company name", "organisation", "organization"),
            *("account", "employer"),
        ),
        "title": ("title", "job title", "position", "role"),
        "industry": ("industry", "sector"),
        "employee_count": (
            *("employee count", "employees", "number of employees", "company size"),
        ),
        "annual_revenue": ("annual revenue", "revenue", "turnover"),
        "source": ("source", "lead source", "origin", "lead origin"),
        "country": ("country", "country code"),
        "state": ("state", "province", "region"),
        "city": ("city", "town"),
        "postal_code": ("postal code", "zip", "zip code", "postcode"),
        "external_id": (
            *("external id", "id", "lead id", "record id", "prospect id", "customer id"),
        ),
        "marketing_score": ("score", "lead score", "marketing score"),
        "currency": ("currency",),
    },
)
