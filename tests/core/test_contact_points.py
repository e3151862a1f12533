"""E-mail addresses and phone numbers in the form that is compared."""

from __future__ import annotations

import pytest

from apps.core.contact_points import normalised_email, normalised_phone


@pytest.mark.parametrize(
    ("typed", "compared"),
    [
        ("  Jane.Doe@Acme.COM ", "jane.doe@acme.com"),
        ("jane+crm@mail.acme.co.uk", "jane+crm@mail.acme.co.uk"),
        ("o'neil@acme.ie", "o'neil@acme.ie"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
    ],
)
def test_an_address_is_compared_trimmed_and_without_case(typed, compared):
    assert normalised_email(typed) == compared


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "jane",
        "jane@",
        "@acme.com",
        "jane@acme",
        "jane@acme..com",
        "jane@.com",
        "jane doe@acme.com",
        "jane@acme.com, joe@acme.com",
        "Jane <jane@acme.com>",
        "a@b@acme.com",
        f"{'a' * 250}@acme.com",
    ],
)
def test_what_is_no_address_is_empty(typed):
    assert normalised_email(typed) == ""


@pytest.mark.parametrize(
    ("typed", "country", "compared"),
    [
        ("+1 (212) 555-0100", "", "+12125550100"),
        ("(212) 555-0100", "US", "+12125550100"),
        ("212.555.0100", "us", "+12125550100"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("+44 (0)20 7183 8750", "", "+442071838750"),
        ("0041 44 668 18 00", "DE", "+41446681800"),
        ("0049 30 901820", "US", "+4930901820"),
        ("0049 30 901820", "", "+4930901820"),
        ("00 49 (30) 90 18-20", "ZZ", "+4930901820"),
        ("001 212 555 0100", "", "+12125550100"),
        ("0011 49 30 901820", "AU", "+4930901820"),
        ("0049 30 901820", "AU", "+4930901820"),
        ("010 49 30 901820", "JP", "+4930901820"),
        ("+1 212 555 0100 ext. 7", "", "+12125550100"),
    ],
)
def test_a_number_is_compared_as_e164(typed, country, compared):
    assert normalised_phone(typed, country) == compared


@pytest.mark.parametrize(
    ("typed", "country", "kept"),
    [
        ("+1-555-0100", "", "+15550100"),
        ("212 555 0100", "", "2125550100"),
        ("555-0100", "ZZ", "5550100"),
        ("+999 123 456", "", "+999123456"),
        ("00999 123 456", "", "+999123456"),
        ("0000 123 456", "", "0000123456"),
    ],
)
def test_a_number_that_cannot_be_placed_keeps_its_digits(typed, country, kept):
    assert normalised_phone(typed, country) == kept


@pytest.mark.parametrize("typed", ["", "  ", "-", "n/a", "12", "1" * 40])
def test_what_is_no_number_is_empty(typed):
    assert normalised_phone(typed, "US") == ""


@pytest.mark.parametrize("country", ["", "US", "DE", "AU", "JP", "IT"])
@pytest.mark.parametrize(
    "number", ["49 30 901820", "41 44 668 18 00", "39 06 6982", "1 212 555 0100"]
)
def test_two_noughts_and_a_plus_are_one_number(number, country):
    assert normalised_phone(f"00{number}", country) == normalised_phone(f"+{number}", country)


@pytest.mark.parametrize("typed", ["+12125550100", "+442071838750", "+15550100", "+41446681800"])
def test_comparing_twice_changes_nothing(typed):
    assert normalised_phone(normalised_phone(typed, "DE"), "DE") == typed
