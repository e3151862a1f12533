"""How a company's domain is recognised, and how long the bin keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.rules import can_be_restored, normalised_domain


@pytest.mark.parametrize(
    ("typed", "domain"),
    [
        ("acme.com", "acme.com"),
        (" HTTPS://www.Acme.COM/about?x=1#top ", "acme.com"),
        ("//shop.acme.co.uk:8080/", "shop.acme.co.uk"),
        ("http://user:secret@acme.com", "acme.com"),
        ("sales@acme.com", "acme.com"),
        ("acme.com.", "acme.com"),
        ("www.de", "www.de"),
        ("Bücher.example", "bücher.example"),
        ("xn--bcher-kva.example", "bücher.example"),
    ],
)
def test_a_domain_is_compared_bare(typed, domain):
    assert normalised_domain(typed) == domain
    assert normalised_domain(domain) == domain


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "acme", "acme..com", "-acme.com", "10.0.0.1", "a b.com", "x" * 64 + ".com", ".com"],
)
def test_what_is_no_domain_is_empty(typed):
    assert normalised_domain(typed) == ""


def test_the_bin_keeps_thirty_days():
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert can_be_restored(now - timedelta(days=30), now)
    assert not can_be_restored(now - timedelta(days=30, seconds=1), now)
