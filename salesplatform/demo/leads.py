"""The demo's file of leads, as a trade fair would hand it over: duplicates and slips included."""

from __future__ import annotations

import random
from collections.abc import Iterator

from apps.core.tables import write_csv

SEED = 42
ROWS = 360
COLUMNS = (
    "Record",
    "First Name",
    "Last Name",
    "Email",
    "Phone",
    "Company",
    "Job Title",
    "Industry",
    "Employees",
    "Annual Revenue",
    "Country",
    "State",
    "City",
    "Lead Source",
    "Interest",
)
MAPPING = {
    "columns": {
        "Record": "external_id",
        "First Name": "first_name",
        "Last Name": "last_name",
        "Email": "email",
        "Phone": "phone",
        "Company": "company",
        "Job Title": "title",
        "Industry": "industry",
        "Employees": "employee_count",
        "Annual Revenue": "annual_revenue",
        "Country": "country",
        "State": "state",
        "City": "city",
        "Lead Source": "source",
        "Interest": "metadata.interest",
    },
    "constants": {"external_source": "trade fair"},
    "empty_values": ["Select", "n/a"],
}

_FIRST = "Amara Ben Chloe Dmitri Elif Farid Grace Hana Igor Jonas Keiko Liam Mei Nadia Omar Priya"
_LAST = "Andersson Becker Chen Dubois Evans Ferrari Garcia Haddad Ivanov Jensen Kim Lopez Meyer"
_COMPANIES = (
    "Northwind Energy|Helvetia Robotics|Bluepeak Logistics|Cedar Health|Dockside Foods|"
    "Everline Textiles|Fjord Shipping|Granite Mutual|Harbor Biotech|Ionic Motors|Juniper Legal|"
    "Kestrel Airways|Lumen Optics|Meridian Paper|Nova Retail|Orchard Software|Pinnacle Steel|"
    "Quartz Media|Riverton Bank|Summit Outdoor|Tidewater Gas|Umbra Studios|Vertex Chemicals"
)
_PLACES = (
    ("USA", "CA", "San Francisco"),
    ("United States", "NY", "New York"),
    ("US", "WA", "Seattle"),
    ("US", "TX", "Austin"),
    ("Germany", "BE", "Berlin"),
    ("UK", "", "London"),
    ("France", "", "Lyon"),
    ("Canada", "ON", "Toronto"),
    ("Japan", "", "Osaka"),
)
_TITLES = ("CEO", "VP Engineering", "Head of Sales", "IT Manager", "Analyst", "Director", "")
_INDUSTRIES = ("Technology", "Manufacturing", "Healthcare", "Finance", "Retail")
_SOURCES = ("webinar", "referral", "trade fair", "organic search", "demo request", "cold list")
_INTERESTS = ("pricing", "integration", "Select", "security", "n/a")


def lead_file() -> bytes:
    """The file: always the same, so that a demo can be talked about."""
    return b"".join(write_csv(columns=COLUMNS, rows=_rows(random.Random(SEED))))  # noqa: S311


def _rows(chance: random.Random) -> Iterator[dict[str, object]]:
    known: list[dict[str, object]] = []
    for number in range(ROWS):
        if known and chance.random() < 0.04:
            yield {**chance.choice(known), "Record": f"F-{number}", "Job Title": "CTO"}
            continue
        row = _row(chance, number)
        if chance.random() < 0.02:
            row["Email"] = str(row["Email"]).replace("@", " at ")
        known.append(row)
        yield row


def _row(chance: random.Random, number: int) -> dict[str, object]:
    first, last = chance.choice(_FIRST.split()), chance.choice(_LAST.split())
    company = chance.choice(_COMPANIES.split("|"))
    country, state, city = chance.choice(_PLACES)
    domain = company.lower().replace(" ", "") + ".example"
    employees = int(chance.lognormvariate(5, 1.5)) + 1
    return {
        "Record": f"F-{number}",
        "First Name": first,
        "Last Name": last,
        "Email": f"{first}.{last}{number}@{domain}",
        "Phone": f"+1 415 555 {chance.randrange(10_000):04}" if chance.random() < 0.7 else "",
        "Company": company,
        "Job Title": chance.choice(_TITLES),
        "Industry": chance.choice(_INDUSTRIES),
        "Employees": f"{employees:,}",
        "Annual Revenue": f"${employees * chance.randrange(90, 400) * 1000:,}",
        "Country": country,
        "State": state,
        "City": city,
        "Lead Source": chance.choice(_SOURCES),
        "Interest": chance.choice(_INTERESTS),
    }
