"""The waves in which a batch of messages goes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.integrations.rules.messages import Message, in_waves


def message(number, about):
    return Message(
        event_id=str(number),
        name="lead.created",
        routing_key="sales.leads.lead.created",
        correlation_id="",
        headers={"aggregate_id": about},
        body=b"{}",
    )


def about(messages):
    return [one.headers["aggregate_id"] for one in messages]


@given(st.lists(st.sampled_from("abcd")))
def test_no_message_can_overtake_another_of_its_aggregate(aggregates):
    messages = [message(number, one) for number, one in enumerate(aggregates)]
    waves = in_waves(messages)
    assert all(len(set(about(wave))) == len(wave) > 0 for wave in waves)
    sent = [one for wave in waves for one in wave]
    for one in set(aggregates):
        its = [each for each in messages if each.headers["aggregate_id"] == one]
        assert [each for each in sent if each.headers["aggregate_id"] == one] == its
    assert len(sent) == len(messages)
    assert len(waves) == max(map(aggregates.count, aggregates), default=0)
