"""Countries as people write them, as ISO 3166 codes."""

from __future__ import annotations

from functools import lru_cache

import pycountry

_EVERYDAY = {
    "usa": "US",
    "u.s.": "US",
    "u.s.a.": "US",
    "united states of america": "US",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "russia": "RU",
    "south korea": "KR",
    "korea": "KR",
    "taiwan": "TW",
    "vietnam": "VN",
    "iran": "IR",
    "uae": "AE",
    "turkey": "TR",
    "ivory coast": "CI",
    "czech republic": "CZ",
    "holland": "NL",
}


@lru_cache(maxsize=4096)
def country_code(text: str) -> str:
    """The two-letter code of a country given by code or English name; empty when unknown."""
    wanted = " ".join(text.split()).casefold()
    if not wanted:
        return ""
    if wanted in _EVERYDAY:
        return _EVERYDAY[wanted]
    try:
        return str(pycountry.countries.lookup(wanted).alpha_2)
    except LookupError:
        return ""
