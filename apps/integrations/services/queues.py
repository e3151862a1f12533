"""The queues in which partners put messages for us.

inbound              topic exchange; a partner publishes under its key: marketing.lead.qualified
inbound.<partner>    its queue
inbound.dead         what could not even be kept, in a queue of the same name
"""

from __future__ import annotations

from kombu import Exchange, Queue

INBOUND = Exchange("inbound", type="topic", durable=True)
DEAD = Exchange("inbound.dead", type="fanout", durable=True)
QUORUM = {"x-queue-type": "quorum"}
DEAD_QUEUE = Queue("inbound.dead", DEAD, durable=True, queue_arguments=QUORUM)
# A receiver that dies over and over again is no reason to throw a message away soon.
DELIVERY_LIMIT = 100


def queue_of(partner: str) -> Queue:
    """The queue of a partner's messages: it survives its broker."""
    return Queue(
        f"inbound.{partner}",
        INBOUND,
        routing_key=f"{partner}.#",
        durable=True,
        queue_arguments={
            **QUORUM,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD.name,
        },
    )
