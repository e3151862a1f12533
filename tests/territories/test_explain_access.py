"""Why can't I see this? Every rule is told, and together they say what the lists show."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise, product
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.fields import CONTACTS
from apps.leads.fields import LEADS
from apps.leads.models import Lead
from apps.territories.models import Territory, TerritoryGrant
from apps.territories.selectors import explain_access, forget_reach
from apps.users.models import Role
from apps.users.selectors import forget_standings
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.leads import LeadFactory
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory, actor_of


def asked(api, admin, row, user):
    answer = api(admin).call("GET", f"/access/explain?object=leads:{row.pk}&user={user.pk}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def holding(explanation):
    return {one["rule"]: one["sentence"] for one in explanation["rules"] if one["holds"]}


def test_tells_the_rule_that_shows_a_row(api, admin, manager, rep):
    west = TerritoryFactory(name="West")
    TerritoryMemberFactory(territory=west, user=rep)
    lead = LeadFactory(owner=rep, territory=west)

    own = asked(api, admin, lead, rep)
    assert own["is_visible"] is True
    assert holding(own) == {
        "owner": "It is the person's own.",
        "territory_member": "Rex Rep has the tie rep to West.",
    }
    assert holding(asked(api, admin, lead, manager)) == {
        "reporting_line": "Rex Rep reports to Mia Manager.",
        "territory_member": "Rex Rep has the tie rep to West.",
    }
    assert holding(asked(api, admin, lead, admin)) == {"role": "The role admin sees every row."}


def test_tells_every_rule_that_failed(api, admin, rep, outsider):
    west = TerritoryFactory(name="West")
    inner = TerritoryFactory(name="Inner West", parent_territory=west)
    today = timezone.localdate()
    TerritoryMemberFactory(
        territory=inner,
        user=outsider,
        valid_from=today - timedelta(days=9),
        valid_until=today - timedelta(days=1),
    )
    TerritoryMemberFactory(territory=west, user=outsider)
    lead = LeadFactory(owner=rep, territory=inner)

    told = asked(api, admin, lead, outsider)

    assert told["is_visible"] is False
    assert told["conditions"] == [
        {"rule": "permission", "holds": True, "sentence": "It takes lead:read."},
        {
            "rule": "in_use",
            "holds": True,
            "sentence": "It must not lie in the bin or be merged away.",
        },
    ]
    assert [(one["rule"], one["holds"], one["sentence"]) for one in told["rules"]] == [
        ("role", False, "The role sales_rep sees rows by owner and territory."),
        ("owner", False, "Rex Rep owns it and does not report here."),
        (
            "territory_member",
            False,
            "Olga Outsider has the tie rep to Inner West, but not today.",
        ),
        (
            "territory_member",
            False,
            "Olga Outsider has the tie rep to West, which does not reach down to this one.",
        ),
        ("unrouted", False, "It was routed already."),
    ]


def test_a_row_in_the_bin_is_told_as_such(api, admin, rep):
    lead = LeadFactory(owner=rep)
    Lead.objects.filter(pk=lead.pk).update(deleted_at=timezone.now())
    told = asked(api, admin, lead, rep)
    assert told["is_visible"] is False
    assert [one["rule"] for one in told["conditions"] if not one["holds"]] == ["in_use"]
    assert "owner" in holding(told)


def test_contacts_are_explained_by_their_account(admin, rep):
    contact = ContactFactory(account=AccountFactory(owner=rep))
    found = explain_access(
        listing=CONTACTS, row_id=contact.pk, user_id=rep.pk, actor=actor_of(admin)
    )
    assert found.is_visible
    assert [one.rule for one in found.rules if one.holds] == ["owner"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("object=leads:{unknown}&user={user}", 404),
        ("object=leads:{lead}&user={unknown}", 404),
        ("object=leads&user={user}", 400),
        ("object=secrets:{lead}&user={user}", 400),
        ("object=leads:{lead}", 400),
        ("user={user}", 400),
        ("object=leads:{lead}&user=me", 400),
    ],
)
def test_what_makes_no_sense_is_refused(api, admin, rep, query, status):
    lead = LeadFactory()
    address = query.format(unknown=uuid4(), user=rep.pk, lead=lead.pk)
    assert api(admin).call("GET", f"/access/explain?{address}").status_code == status


def test_only_those_with_the_right_ask(api, manager, rep):
    lead = LeadFactory(owner=rep)
    answer = api(manager).call("GET", f"/access/explain?object=leads:{lead.pk}&user={rep.pk}")
    assert answer.status_code == 403
    assert answer.json()["error"]["details"]["permission"] == "access:explain"


def some_people(data):
    people = [UserFactory(role=data.draw(st.sampled_from(Role.values))) for _ in range(4)]
    for person, above in pairwise(people):
        if data.draw(st.booleans()):
            type(person).objects.filter(pk=person.pk).update(manager=above)
    return people


def some_territories(data, people):
    trees: list[Territory] = []
    for _ in range(3):
        trees.append(
            TerritoryFactory(
                owner=data.draw(st.sampled_from([None, *people])),
                parent_territory=data.draw(st.sampled_from([None, *trees])),
            )
        )
    return trees


def tie_together(data, people, trees):
    today = timezone.localdate()
    view = Permission.objects.get(codename="view_territory")
    for person, territory in product(people, trees):
        tie = data.draw(st.sampled_from(["none", "none", "rep", "manager", "past", "grant"]))
        if tie in ("rep", "manager", "past"):
            TerritoryMemberFactory(
                territory=territory,
                user=person,
                role="rep" if tie == "past" else tie,
                valid_from=today - timedelta(days=9),
                valid_until=today - timedelta(days=1) if tie == "past" else None,
            )
        if tie == "grant":
            TerritoryGrant.objects.create(user=person, permission=view, content_object=territory)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_rules_say_what_the_lists_show(db, data):
    """Any people, tree, ties and rows: explained as visible exactly when it is listed."""
    people = some_people(data)
    trees = some_territories(data, people)
    tie_together(data, people, trees)
    leads = [
        LeadFactory(
            owner=data.draw(st.sampled_from([None, *people])),
            territory=data.draw(st.sampled_from([None, *trees])),
        )
        for _ in range(4)
    ]
    forget_standings()
    forget_reach()
    admin = actor_of(UserFactory(role=Role.ADMIN))
    for person in people:
        actor = actor_of(person)
        seen = {one["id"] for one in LEADS.with_ids(actor, [lead.pk for lead in leads])}
        for lead in leads:
            told = explain_access(listing=LEADS, row_id=lead.pk, user_id=person.pk, actor=admin)
            assert told.is_visible is (str(lead.pk) in seen), told
