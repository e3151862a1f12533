"""What people agreed to, and the opt-out of the CCPA."""

from __future__ import annotations

import pytest

from apps.accounts.services.contacts import add_contact, change_contact
from apps.core.models import Consent
from apps.users.models import Role
from tests.factories.accounts import AccountFactory
from tests.factories.leads import LeadFactory
from tests.factories.users import UserFactory, actor_of

JANE = "jane.doe@quagga.example"
OPT_OUT = {"email": JANE, "purpose": "sale", "is_given": False, "source": "Do not sell"}


def test_an_opt_out_holds_for_every_record_and_those_to_come(api, admin):
    before = LeadFactory(email=JANE, status="unqualified")
    client = api(admin)
    assert client.call("POST", "/privacy/consents", OPT_OUT).status_code == 201
    after, other = LeadFactory(email=JANE.upper()), LeadFactory()

    def opted_out(lead):
        return client.call("GET", f"/leads/{lead.pk}").json()["opted_out_of_sale"]

    assert [opted_out(one) for one in (before, after, other)] == [True, True, False]
    client.call("POST", "/privacy/consents", {**OPT_OUT, "is_given": True})
    assert opted_out(after) is False
    told = client.call("GET", f"/privacy/consents?email={JANE}").json()["data"]
    assert [one["is_given"] for one in told] == [True, False]


def test_a_receipt_does_not_repeat_the_address(api, admin):
    answer = api(admin).call("POST", "/privacy/consents", OPT_OUT)
    assert answer.json() == {
        "id": str(Consent.objects.get().pk),
        "purpose": "sale",
        "is_given": False,
    }


def test_a_contact_s_consent_is_kept_with_whoever_noted_it(admin, rep):
    account = AccountFactory(owner=rep)
    by = actor_of(rep)
    contact = add_contact(account_id=account.pk, name="Jane", email=JANE, consent=True, actor=by)
    same = {"account_id": account.pk, "contact_id": contact.pk, "actor": by}
    change_contact(**same, title="CEO")
    change_contact(**same, consent=False)
    noted = Consent.objects.order_by("id")
    assert [(one.purpose, one.is_given, one.actor_id) for one in noted] == [
        ("marketing", True, rep.pk),
        ("marketing", False, rep.pk),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**OPT_OUT, "email": "nobody"}, "email"),
        ({**OPT_OUT, "purpose": "profit"}, "purpose"),
        ({**OPT_OUT, "is_given": "no"}, "is_given"),
        ({**OPT_OUT, "source": ""}, "source"),
    ],
)
def test_refuses_what_makes_no_sense(api, admin, body, field):
    answer = api(admin).call("POST", "/privacy/consents", body)
    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Consent.objects.exists()


@pytest.mark.parametrize("role", [Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_nobody_learns_by_asking_whether_an_address_is_known(db, api, role):
    client = api(UserFactory(role=role))
    assert client.call("POST", "/privacy/consents", OPT_OUT).status_code == 403
    assert client.call("GET", f"/privacy/consents?email={JANE}").status_code == 403
    assert not Consent.objects.exists()
