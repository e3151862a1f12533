"""What accounts hold of people: their contacts."""

from __future__ import annotations

from apps.accounts.models import Contact
from apps.core.personal_data import Holding, holds

ERASED = "Erased person"

CONTACT_PEOPLE = holds(
    Holding(
        "contacts",
        Contact,
        emptied={"name": ERASED, "title": "", "consent": None, "phone_key": ""},
    )
)
