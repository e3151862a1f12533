"""E-mail addresses and phone numbers as people write them, in the one form that is compared."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from apps.core.encryption.ring import blind_index

LONGEST_EMAIL = 254
LONGEST_PHONE = 20
_FEWEST_DIGITS = 3

_EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\.]+(\.[^@\s<>,;:\"()\[\]\\.]+)+")
_PHONE = re.compile(r"\+?[\d\s().\-/]{7,}")
_DECORATION = re.compile(r"[\s().\-/]+")
# No calling code begins with a nought.
_DIALLED_ABROAD = re.compile(r"00(?=[1-9])")
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")


def normalised_email(text: str) -> str:
    """An e-mail address trimmed and in lower case; empty when it is none."""
    address = text.strip().lower()
    if len(address) > LONGEST_EMAIL or not _EMAIL.fullmatch(address):
        return ""
    return address


def email_domain(text: str) -> str:
    """The part of an e-mail address that may name a company; empty when it is none."""
    return normalised_email(text).rpartition("@")[2]


def email_key(text: str) -> str:
    """What an e-mail address is found by where it is encrypted; empty when it is none."""
    return blind_index("email", normalised_email(text))


def phone_key(text: str, country: str = "") -> str:
    """What a phone number is found by where it is encrypted; empty when there is none."""
    return blind_index("phone", normalised_phone(text, country))


def is_phone(text: str) -> bool:
    """Whether somebody typed a phone number and nothing else."""
    return bool(_PHONE.fullmatch(text.strip()))


def normalised_phone(text: str, country: str = "") -> str:
    """A phone number as E.164, such as `+442071838750`; empty when there is none.

    `00` is read as `+`, unless something else is dialled for it in that country. A number that
    can't be one where it is said to be keeps its digits, so that nothing that somebody typed is
    lost.

    Args:
        text: as typed, with or without the country's calling code.
        country: the ISO 3166 code of the country it is dialled in, when known.
    """
    # Parsing costs a hundred times as much as this, and imports bring mostly such numbers.
    compact = _DECORATION.sub("", text)
    if not compact:
        return ""
    if _NORTH_AMERICAN.fullmatch(compact):
        return compact
    return _parsed(compact, country)


@lru_cache(maxsize=16_384)
def _parsed(text: str, country: str) -> str:
    number = _possible(text, country)
    # Where something else is dialled for `+`, such as `0011`, it may begin like this.
    if _DIALLED_ABROAD.match(text) and not (number and phonenumbers.is_valid_number(number)):
        text = _DIALLED_ABROAD.sub("+", text, count=1)
        number = _possible(text, "") or number
    if number is None:
        return _digits(text)
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _possible(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _digits(text: str) -> str:
    digits = str(phonenumbers.normalize_digits_only(text))
    if not _FEWEST_DIGITS <= len(digits) < LONGEST_PHONE:
        return ""
    return f"+{digits}" if text.startswith("+") else digits
