"""What partners can tell us: each type of message, declared once, with the service it asks for.

    @told("contract.created", by=[Kind.BILLING])
    class ContractMade(Payload):
        opportunity_id: UUID

        def carry_out(self, heard: Heard) -> None:
            acknowledge_sale(opportunity_id=self.opportunity_id, …, actor=heard.actor)

Messages come in the envelope of the source (sales-system-integrations, Event Message Format), of
which partners need to send type, moment and payload. What is not declared is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from apps.activities.rules import LONGEST_MINUTES
from apps.activities.services.communications import log_communication
from apps.contracts.services.contracts import acknowledge_sale
from apps.core.actors import Actor
from apps.core.errors import InvalidInput
from apps.customer_success.services.cases import (
    record_escalation,
    record_feature_request,
    record_ticket,
)
from apps.customer_success.services.measures import record_health, record_nps, record_usage
from apps.customer_success.services.news import News
from apps.integrations.models import Partner
from apps.leads.services.campaigns import record_campaign
from apps.leads.services.marketing import take_qualified_lead

Kind = Partner.Kind
LONGEST_ID = 255
Content = TypeVar("Content")

Text = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
# Of the partner's own; we only keep it.
Identifier = Annotated[str, Meta(min_length=1, max_length=100)]
Moment = Annotated[datetime, Meta(tz=True)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]


def check_moments(told: msgspec.Struct) -> None:
    """Refuse moments that are of no year in UTC, and kept by no database. Raises ValueError."""
    for name in told.__struct_fields__:
        if isinstance(moment := getattr(told, name), datetime):
            try:
                moment.astimezone(UTC)
            except OverflowError:
                sentence = f"Expected a moment of the years 1 to 9999, field `{name}`"
                raise ValueError(sentence) from None


@dataclass(frozen=True)
class Heard:
    """Who said something, when it was true, and in whose name it is carried out."""

    partner: str
    as_of: datetime
    actor: Actor


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a payload: known fields only, of the right types."""

    def __post_init__(self) -> None:
        check_moments(self)

    def given(self) -> dict[str, Any]:
        """What was said, without what was left out."""
        return {
            name: value
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        }


class Payload(Part, frozen=True, kw_only=True):
    """What a message says."""

    @property
    def subject(self) -> str:
        """What it is about, which tells it from others of the moment."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """The e-mail address of the person it is about, if it is about one."""
        return ""

    def carry_out(self, heard: Heard) -> None:
        """Let one service do what the message asks for. Raises the service's refusals."""
        raise NotImplementedError


class Envelope(msgspec.Struct, Generic[Content], frozen=True, forbid_unknown_fields=True):
    """How a message comes (sales-system-integrations, Event Message Format)."""

    event_type: Annotated[str, Meta(min_length=1, max_length=100)]
    timestamp: Moment
    payload: Content
    event_id: Name | None = None
    source: Text | None = None
    version: Text | None = None
    correlation_id: Text | None = None
    user_id: Text | None = None

    def __post_init__(self) -> None:
        check_moments(self)


@dataclass(frozen=True)
class MessageKind:
    """A type of message, and which kinds of partners send it."""

    name: str
    by: tuple[str, ...]
    payload: type[Payload]
    decoder: msgspec.json.Decoder[Any]


@dataclass(frozen=True)
class Message:
    """A message that was understood."""

    id: str
    type: str
    told_at: datetime
    payload: Payload


_kinds: dict[str, MessageKind] = {}
_envelope = msgspec.json.Decoder(Envelope[msgspec.Raw])

PayloadClass = TypeVar("PayloadClass", bound=type[Payload])


def told(name: str, *, by: Sequence[str]) -> Callable[[PayloadClass], PayloadClass]:
    """Declare a type of message, and which kinds of partners send it."""

    def register(payload: PayloadClass) -> PayloadClass:
        _kinds[name] = MessageKind(name, tuple(by), payload, msgspec.json.Decoder(payload))
        return payload

    return register


def message_kinds() -> tuple[MessageKind, ...]:
    """Every type of message, by name."""
    return tuple(_kinds[name] for name in sorted(_kinds))


def understand(body: bytes, *, partner: str, kind: str, message_id: str = "") -> Message:
    """The message that a body holds. Raises InvalidInput naming the wrong field.

    Args:
        body: as it came.
        partner, kind: who sent it.
        message_id: under which it was sent; the one in the envelope counts first. Without either,
            type, moment and subject tell what comes twice.
    """
    envelope = _decoded(_envelope, body, at="")
    if envelope.source not in (None, partner):
        raise InvalidInput.field("source", f"Only {partner} speaks here.")
    found = _kinds.get(envelope.event_type)
    if found is None or kind not in found.by:
        names = ", ".join(one.name for one in message_kinds() if kind in one.by)
        raise InvalidInput.field("event_type", f"Send one of {names}.")
    payload = _decoded(found.decoder, bytes(envelope.payload), at="payload")
    stated = envelope.event_id or message_id
    if len(stated) > LONGEST_ID or not stated.isprintable():
        raise InvalidInput.field("event_id", f"Give up to {LONGEST_ID} characters to be seen.")
    return Message(
        id=stated or _digest(envelope, payload.subject),
        type=found.name,
        told_at=envelope.timestamp,
        payload=payload,
    )


def _digest(envelope: Envelope[Any], subject: str) -> str:
    moment = envelope.timestamp.timestamp()
    return sha256(f"{envelope.event_type} {moment} {subject}".encode()).hexdigest()


_PLACE = re.compile(r"(.*?)(?: - at `\$?\.?(.*)`)?", re.DOTALL)
_FIELD = re.compile(r" field `(\w+)`")


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes, *, at: str) -> Any:
    """What JSON says. Raises InvalidInput."""
    if b"\\u0000" in body:
        raise InvalidInput.field(at or "body", "NUL is not allowed in text.")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as failure:
        sentence, place = _PLACE.fullmatch(str(failure)).groups()  # type: ignore[union-attr]
        named = _FIELD.search(sentence)
        path = ".".join(one for one in (at, place, named and named[1]) if one)
        raise InvalidInput.field(path or "body", f"{sentence}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise InvalidInput.field("body", f"This is not valid JSON: {failure}") from None


# --- Marketing --------------------------------------------------------------------------------


class Attribution(Part, frozen=True, kw_only=True):
    """What brought somebody here, first, last and in between."""

    first_touch: Text
    last_touch: Text
    touches: Annotated[list[Text], Meta(max_length=100)]


class Profile(Part, frozen=True, kw_only=True):
    """Who somebody is."""

    email: Name
    first_name: Text | None = None
    last_name: Text | None = None
    company: Text | None = None
    title: Text | None = None
    phone: Text | None = None


class Firmographic(Part, frozen=True, kw_only=True):
    """What company it is."""

    industry: Text | None = None
    employee_count: Count | None = None
    annual_revenue: Decimal | None = None


@told("lead.qualified", by=[Kind.MARKETING])
class LeadQualifiedThere(Payload, frozen=True, kw_only=True):
    """Marketing found somebody worth selling to, or knows more of them by now."""

    lead_id: Identifier
    source: Annotated[str, Meta(min_length=1, max_length=100)]
    profile: Profile
    score: Percent | None = None
    campaign_id: Identifier | None = None
    attribution: Attribution | None = None
    firmographic: Firmographic | None = None

    @property
    def subject(self) -> str:
        return self.lead_id

    @property
    def address(self) -> str:
        return self.profile.email

    def carry_out(self, heard: Heard) -> None:
        facts: dict[str, Any] = {"source": self.source, **self.profile.given()}
        if self.score is not None:
            facts["marketing_score"] = self.score
        if self.campaign_id is not None:
            facts["campaign_id"] = self.campaign_id
        if self.attribution is not None:
            facts["attribution"] = self.attribution.given()
        if self.firmographic is not None:
            facts |= self.firmographic.given()
        take_qualified_lead(
            external_id=self.lead_id,
            system=heard.partner,
            as_of=heard.as_of,
            actor=heard.actor,
            **facts,
        )


@told("campaign.updated", by=[Kind.MARKETING])
class CampaignUpdated(Payload, frozen=True, kw_only=True):
    """What a campaign is that leads are attributed to."""

    campaign_id: Identifier
    name: Name
    status: Literal["planned", "active", "ended"]
    channel: Annotated[str, Meta(max_length=100)] | None = None
    starts_on: date | None = None
    ends_on: date | None = None

    @property
    def subject(self) -> str:
        return self.campaign_id

    def carry_out(self, heard: Heard) -> None:
        facts = self.given()
        record_campaign(
            external_id=facts.pop("campaign_id"),
            system=heard.partner,
            as_of=heard.as_of,
            actor=heard.actor,
            **facts,
        )


# --- Billing ----------------------------------------------------------------------------------


class DuePayment(Part, frozen=True, kw_only=True):
    """What is due when."""

    due_on: date
    amount: Decimal


@told("contract.created", by=[Kind.BILLING])
class ContractMade(Payload, frozen=True, kw_only=True):
    """Billing made a contract of a won deal. Terms count where none was drawn up here before."""

    opportunity_id: UUID
    contract_id: Identifier
    contract_term: Annotated[int, Meta(ge=1, le=1200)] | None = None
    start_date: date | None = None
    payment_terms: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    billing_frequency: (
        Literal["monthly", "quarterly", "semiannually", "annually", "once"] | None
    ) = None
    payment_schedule: Annotated[list[DuePayment], Meta(min_length=1, max_length=1200)] | None = None

    @property
    def subject(self) -> str:
        return self.contract_id

    def carry_out(self, heard: Heard) -> None:
        terms = self.given()
        if self.payment_schedule is not None:
            terms["payment_schedule"] = [one.given() for one in self.payment_schedule]
        acknowledge_sale(
            external_id=terms.pop("contract_id"),
            external_system=heard.partner,
            actor=heard.actor,
            **terms,
        )


# --- Customer experience and support ----------------------------------------------------------

Number = Annotated[int, Meta(ge=-(10**15), le=10**15)] | Annotated[float, Meta(ge=-1e15, le=1e15)]


class OfAccount(Payload, frozen=True, kw_only=True):
    """What is said of an account: known by our id, by the partner's own, else by its domain."""

    account_id: Identifier
    domain: Text | None = None

    @property
    def subject(self) -> str:
        return self.account_id

    def news(self, heard: Heard) -> News:
        """Of which account it is, by whom, and when it was true."""
        return News(
            account_id=self.account_id,
            domain=self.domain or "",
            partner=heard.partner,
            as_of=heard.as_of,
        )


@told("health.updated", by=[Kind.CUSTOMER_EXPERIENCE])
class HealthUpdated(OfAccount, frozen=True, kw_only=True):
    """How healthy a customer is, 0 to 100."""

    score: Percent

    def carry_out(self, heard: Heard) -> None:
        record_health(news=self.news(heard), score=self.score, actor=heard.actor)


@told("usage.updated", by=[Kind.CUSTOMER_EXPERIENCE])
class UsageUpdated(OfAccount, frozen=True, kw_only=True):
    """How much a customer uses: numbers by name."""

    metrics: Annotated[dict[Identifier, Number], Meta(max_length=50)]

    def carry_out(self, heard: Heard) -> None:
        record_usage(news=self.news(heard), metrics=self.metrics, actor=heard.actor)


@told("nps.updated", by=[Kind.CUSTOMER_EXPERIENCE])
class NpsUpdated(OfAccount, frozen=True, kw_only=True):
    """Whether a customer would recommend us, -100 to 100."""

    score: Annotated[int, Meta(ge=-100, le=100)]

    def carry_out(self, heard: Heard) -> None:
        record_nps(news=self.news(heard), score=self.score, actor=heard.actor)


class CaseUpdated(OfAccount, frozen=True, kw_only=True):
    """Something that a customer wants to be taken care of, by the partner's own id."""

    id: Identifier
    title: Name
    opened_at: Moment
    ended_at: Moment | None = None

    @property
    def subject(self) -> str:
        return self.id

    def facts(self, heard: Heard) -> dict[str, Any]:
        """What the services take of every case."""
        return {
            "news": self.news(heard),
            "external_id": self.id,
            "title": self.title,
            "opened_at": self.opened_at,
            "ended_at": self.ended_at,
            "actor": heard.actor,
        }


Severity = Literal["low", "medium", "high", "critical"]


@told("ticket.updated", by=[Kind.CUSTOMER_EXPERIENCE, Kind.SUPPORT])
class TicketUpdated(CaseUpdated, frozen=True, kw_only=True):
    """How a support ticket stands."""

    severity: Severity
    status: Literal["open", "pending", "solved", "closed"]

    def carry_out(self, heard: Heard) -> None:
        record_ticket(severity=self.severity, status=self.status, **self.facts(heard))


@told("escalation.updated", by=[Kind.SUPPORT])
class EscalationUpdated(CaseUpdated, frozen=True, kw_only=True):
    """How something stands that a customer took further up."""

    severity: Severity
    status: Literal["open", "in_progress", "resolved"]

    def carry_out(self, heard: Heard) -> None:
        record_escalation(severity=self.severity, status=self.status, **self.facts(heard))


@told("feature_request.updated", by=[Kind.SUPPORT])
class FeatureRequestUpdated(CaseUpdated, frozen=True, kw_only=True):
    """What becomes of something that a customer wishes for."""

    status: Literal["open", "planned", "in_progress", "shipped", "declined"]

    def carry_out(self, heard: Heard) -> None:
        record_feature_request(status=self.status, **self.facts(heard))


# --- Mail and telephony -----------------------------------------------------------------------


@told("communication.logged", by=[Kind.COMMUNICATION])
class CommunicationLogged(Payload, frozen=True, kw_only=True):
    """A colleague and people outside wrote, spoke or met; of strangers nothing is kept.

    `colleague` is the e-mail address of who works here; `others` are e-mail addresses, and phone
    numbers, at the other end.
    """

    communication_id: Identifier
    type: Literal["email", "call", "meeting"]
    occurred_at: Moment
    colleague: Name
    others: Annotated[list[Name], Meta(min_length=1, max_length=100)]
    direction: Literal["inbound", "outbound"]
    title: Text = ""
    text: Annotated[str, Meta(max_length=10_000)] = ""
    duration_minutes: Annotated[int, Meta(ge=0, le=LONGEST_MINUTES)] | None = None

    @property
    def subject(self) -> str:
        return self.communication_id

    @property
    def address(self) -> str:
        return next((one for one in self.others if "@" in one), "")

    def carry_out(self, heard: Heard) -> None:
        log_communication(
            system=heard.partner,
            external_id=self.communication_id,
            type=self.type,
            occurred_at=self.occurred_at,
            colleague=self.colleague,
            others=self.others,
            direction=self.direction,
            subject=self.title,
            description=self.text,
            duration_minutes=self.duration_minutes,
            actor=heard.actor,
        )
