"""Mail and telephony tell who wrote, called and met: it is logged about whom we know, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.activities.models import Activity
from apps.activities.services.activities import delete_activity
from apps.activities.services.communications import log_communication
from apps.core.contact_points import email_key, phone_key
from apps.core.errors import InvalidInput, NotAllowed
from apps.integrations.services.inbox import take_message
from apps.territories.selectors import forget_reach
from apps.users.models import Role
from apps.users.selectors import forget_standings
from apps.users.services.people import bind_client
from tests.at_once import outcomes_at_once
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.integrations import make_partner, message
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.users import UserFactory, actor_of

AT = datetime(2026, 2, 11, 8, tzinfo=UTC)
ADDRESS = "john.doe@acme.com"


@pytest.fixture
def telephony(db):
    return make_partner("communication").owner


@pytest.fixture
def say(telephony, rep, deliver_events):
    """Telephony says that somebody called, and it is handled."""

    def said(**changed):
        payload = {
            "communication_id": "call-1",
            "type": "call",
            "occurred_at": AT.isoformat(),
            "colleague": rep.email.upper(),
            "others": [ADDRESS],
            "direction": "inbound",
            "title": "Questions about the offer",
            "text": "They want a discount",
            "duration_minutes": 12,
            **changed,
        }
        body = message("communication.logged", payload)
        kept, _ = take_message(partner=telephony, body=body, actor=actor_of(telephony.client))
        deliver_events()
        kept.refresh_from_db()
        return kept

    return said


@pytest.fixture
def contact(rep):
    account = AccountFactory(owner=rep)
    return ContactFactory(account=account, email=ADDRESS, email_key=email_key(ADDRESS))


def test_a_call_with_a_contact_is_about_their_only_open_deal(say, contact, rep):
    deal = make_deal(account=contact.account)
    make_deal(account=contact.account, stage="closed_won")
    assert say().status == "handled"
    call = Activity.objects.get()
    assert (call.type, call.subject, call.description) == (
        "call",
        "Questions about the offer",
        "They want a discount",
    )
    assert (call.user, call.completed_at, call.duration_minutes) == (rep, AT, 12)
    assert (call.contact, call.opportunity, call.lead) == (contact, deal, None)
    assert (call.direction, call.metadata) == ("inbound", {})


def test_a_meeting_neither_comes_in_nor_goes_out(say, contact):
    assert say(type="meeting").status == "handled"
    assert (Activity.objects.get().type, Activity.objects.get().direction) == ("meeting", "")


def test_with_two_open_deals_it_is_about_the_contact_alone(say, contact):
    make_deal(account=contact.account)
    make_deal(account=contact.account)
    say()
    assert (Activity.objects.get().contact, Activity.objects.get().opportunity) == (contact, None)


def test_a_call_with_an_open_lead_is_found_by_the_number(say, rep):
    lead = LeadFactory(owner=rep, phone="+15550100", phone_key=phone_key("+15550100"))
    assert say(others=["+1 555 0100"], title="", text="").status == "handled"
    call = Activity.objects.get()
    assert (call.lead, call.subject) == (lead, "Call")
    lead.refresh_from_db()
    assert lead.last_activity_at == AT


def test_a_call_with_a_contact_is_found_by_the_number(say, rep, contact):
    LeadFactory(owner=rep, phone="+15550100", phone_key=phone_key("+15550100"))
    caller = ContactFactory(account=contact.account, phone="+1-555-0100")
    assert say(others=["+1 555 0100"]).status == "handled"
    assert Activity.objects.get().contact == caller
    say(communication_id="call-2", others=["+1 555 0100", ADDRESS])
    assert Activity.objects.get(external_id="call-2").contact == contact


def test_of_strangers_nothing_is_kept(say, contact, telephony, system, deliver_events):
    assert say(others=["stranger@elsewhere.example"]).status == "handled"
    bind_client(user_id=telephony.client_id, all_territories=False, actor=system)
    deliver_events()
    forget_standings()
    forget_reach()
    assert say(communication_id="call-2").status == "handled"
    assert not Activity.objects.exists()


def test_what_was_told_before_stays_as_it_is(say, contact, system):
    say()
    first = Activity.objects.get()
    assert say(title="Something else").status == "handled"
    delete_activity(activity_id=first.pk, actor=system)
    assert say().status == "handled"
    [only] = Activity.objects.with_bin()
    assert (only.pk, only.subject, only.is_in_bin) == (
        first.pk,
        "Questions about the offer",
        True,
    )


@pytest.mark.parametrize(
    "wrong",
    [{"type": "fax"}, {"others": []}, {"duration_minutes": -1}, {"occurred_at": "yesterday"}],
)
def test_what_can_not_be_understood_is_not_taken_in(say, contact, wrong):
    with pytest.raises(InvalidInput):
        say(**wrong)
    assert not Activity.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"colleague": "nobody@example.com"}, "colleague"),
        ({"occurred_at": (timezone.now() + timedelta(days=1)).isoformat()}, "completed_at"),
    ],
)
def test_what_makes_no_sense_is_refused_and_lies_in_the_inbox(say, contact, wrong, field):
    kept = say(**wrong)
    assert kept.status == "refused"
    assert kept.reason.startswith(f"invalid_input: {field}: ")
    assert not Activity.objects.exists()


def test_refuses_whoever_may_not_log(acting, rep, contact):
    reader = acting(UserFactory(role=Role.READ_ONLY))
    with pytest.raises(NotAllowed):
        log_communication(**told(rep), actor=reader)
    assert not Activity.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_told_twice_at_once_it_is_logged_once(rep, contact, system):
    found = outcomes_at_once(lambda _: log_communication(**told(rep), actor=system), range(2))
    assert found == ["done", "done"]
    assert Activity.objects.count() == 1


def told(colleague):
    return {
        "system": "telephony",
        "external_id": "call-1",
        "type": "call",
        "occurred_at": AT,
        "colleague": colleague.email,
        "others": [ADDRESS],
        "direction": "outbound",
    }
