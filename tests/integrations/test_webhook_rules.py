"""Where messages may go, and when they are sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.integrations.rules.addresses import is_public, trouble_with_url
from apps.integrations.rules.deliveries import (
    GIVEN_UP_AFTER,
    LONGEST_REST,
    names_wanted,
    next_try,
    rest_until,
    unknown_patterns,
)

NOW = datetime(2026, 2, 11, 8, tzinfo=UTC)
KEPT_FROM = ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]
KEPT_FROM += ["0.0.0.0/8", "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/4"]


@st.composite
def address_inside(draw):
    network = ip_network(draw(st.sampled_from(KEPT_FROM)))
    return network[draw(st.integers(0, network.num_addresses - 1))]


@given(address_inside())
def test_no_private_address_is_public_however_it_is_written(address):
    wrapped = int(address)
    tunnels = ("::ffff:0:0", "::", "64:ff9b::")
    assert not is_public(str(address))
    assert not any(is_public(str(ip_address(one) + wrapped)) for one in tunnels)
    assert not is_public(str(ip_address("2002::") + (wrapped << 80)))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_what_is_public_is_so_in_the_eyes_of_others_too(address):
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "93.184.215.14"])
def test_addresses_of_the_internet_are_public(text):
    assert is_public(text)


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "168.63.129.16", "fd00:ec2::254", "::1", "::", "fe80::1%eth0", "0", ""],
)
def test_refuses_what_clouds_and_machines_keep_to_themselves(text):
    assert not is_public(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "https://",
        "https://me:secret@example.com/",
        "https://example.com/#part",
        "https://10.0.0.7/",
        "https://[::1]/",
        "https://example.com:99999/",
        "https://exämple.com/",
        f"https://example.com/{'a' * 500}",
        "",
    ],
)
def test_refuses_urls_that_nothing_may_be_sent_to(url):
    assert trouble_with_url(url, ["127.0.0.1"])


def test_takes_https_and_what_an_operator_allows():
    assert not trouble_with_url("https://example.com:8443/hook?key=1", [])
    assert not trouble_with_url("http://127.0.0.1:9000/hook", ["127.0.0.1"])
    assert trouble_with_url("http://127.0.0.1:9000/hook", [])


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_waits_grow_and_end_within_three_days(chances):
    moment, tries = NOW, 1
    while again := next_try(tries, first_tried_at=NOW, now=moment, chance=chances[tries]):
        assert timedelta(seconds=4) <= again - moment <= timedelta(hours=14.4)
        assert again - NOW <= GIVEN_UP_AFTER
        moment, tries = again, tries + 1
    assert 10 <= tries <= 16
    assert moment - NOW >= GIVEN_UP_AFTER - timedelta(hours=14.4)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_whoever_is_away_is_asked_again_within_minutes(failures, chance):
    rest = rest_until(failures, now=NOW, chance=chance) - NOW
    assert timedelta(seconds=4) <= rest <= LONGEST_REST * 1.2


def test_patterns_stand_for_events_topics_or_everything():
    assert names_wanted(["lead.created"]) == {"lead.created"}
    assert {"lead.created", "lead.converted"} <= names_wanted(["sales.leads.*"])
    assert names_wanted(["sales.leads.*"]) < names_wanted(["*"])
    assert not any(one.startswith(("user.", "webhook.")) for one in names_wanted(["*"]))
    assert unknown_patterns(["lead.created", "lead.*", "user.signed_in", "sales.users.*"]) == [
        "lead.*",
        "sales.users.*",
        "user.signed_in",
    ]


def test_ipv4_is_what_it_says():
    assert not is_public(str(IPv4Address("255.255.255.255")))
