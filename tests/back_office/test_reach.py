"""Whoever signs in sees their own rows and nobody else's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.core.admin.base import ActorAdmin
from apps.forecasts.services.submissions import submit_forecast
from apps.leads.models import Lead
from apps.territories.selectors import forget_reach
from apps.users.models import Role, User
from tests.back_office.conftest import Office
from tests.factories.accounts import AccountFactory, ContactFactory
from tests.factories.forecasts import this_quarter
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory

OPEN_TO_ALL = {
    "users.User",
    "users.RolePermission",
    "catalog.Product",
    "catalog.PriceBook",
    "opportunities.Pipeline",
}

PAGES = [
    (model, page) for model, page in admin.site._registry.items() if isinstance(page, ActorAdmin)
]


def list_address(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def rows_shown(client: Client, model: Any) -> list[Any]:
    answer = client.get(list_address(model))
    assert answer.status_code == 200, answer.content
    return list(answer.context["cl"].result_list)


@pytest.fixture
def somebodys_rows(rep: User) -> None:
    LeadFactory(owner=rep)
    TerritoryFactory(owner=rep)
    ContactFactory(account=AccountFactory(owner=rep))
    make_deal(owner=rep)


@pytest.mark.parametrize(
    "model", [model for model, _ in PAGES if model._meta.label not in OPEN_TO_ALL]
)
def test_an_outsider_sees_no_rows_of_others(
    model: Any, somebodys_rows: None, outsider: User, office: Office
) -> None:
    answer = office(outsider).get(list_address(model))

    if answer.status_code == 403:
        return
    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list) == []


@pytest.mark.parametrize("model", [model for model, _ in PAGES])
def test_every_list_opens_for_an_admin(
    model: Any, somebodys_rows: None, admin: User, office: Office
) -> None:
    assert office(admin).get(list_address(model)).status_code == 200


def test_a_rep_and_the_manager_above_see_the_rep_s_leads(
    rep: User, manager: User, office: Office
) -> None:
    lead = LeadFactory(owner=rep)
    LeadFactory()

    assert rows_shown(office(rep), Lead) == [lead]
    assert lead in rows_shown(office(manager), Lead)


def test_a_foreign_lead_s_page_is_not_there(rep: User, outsider: User, office: Office) -> None:
    lead = LeadFactory(owner=rep)

    for identifier in (lead.pk, uuid4(), "nonsense"):
        page = office(outsider).get(reverse("admin:leads_lead_change", args=[identifier]))
        assert page.status_code == 302
        assert page["Location"] == reverse("admin:index")


def test_a_foreign_lead_is_neither_offered_nor_touched(
    rep: User, outsider: User, office: Office
) -> None:
    lead = LeadFactory(owner=rep)
    client = office(outsider)

    alone = client.post(reverse("admin:leads_lead_operation_contact", args=[lead.pk]))
    among_many = client.post(
        list_address(Lead), {"action": "operation_contact", "_selected_action": [str(lead.pk)]}
    )

    lead.refresh_from_db()
    assert (alone.status_code, among_many.status_code) == (302, 302)
    assert lead.status == "new"


def test_choosing_among_territories_offers_only_those_within_reach(
    rep: User, outsider: User, office: Office
) -> None:
    TerritoryFactory(name="Wonderland", owner=rep)
    address = reverse("admin:autocomplete")
    asked = {"app_label": "leads", "model_name": "lead", "field_name": "territory", "term": "won"}

    def offered(user: User) -> list[str]:
        return [one["text"] for one in office(user).get(address, asked).json()["results"]]

    assert offered(rep) == ["Wonderland"]
    assert offered(outsider) == []


def test_the_search_of_the_site_stays_within_reach(
    rep: User, outsider: User, office: Office
) -> None:
    LeadFactory(owner=rep, company="Vorpal Blades", last_name="Jabberwock")
    address = reverse("admin:search")

    def found(user: User) -> bool:
        page = office(user).get(address, {"s": "vorpal", "extended": "1"})
        return b"Jabberwock" in page.content

    assert found(rep)
    assert not found(outsider)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.SALES_MANAGER, Role.SALES_REP, Role.READ_ONLY])
def test_people_sign_in_with_their_e_mail_however_it_is_typed(role: str, db: None) -> None:
    UserFactory(role=role, email="pat@example.com")

    answer = Client().post(
        reverse("admin:login"),
        {"username": "Pat@Example.com", "password": "correct horse battery staple"},
    )

    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_machines_and_people_whose_access_ended_do_not_get_in(db: None, office: Office) -> None:
    machine = UserFactory(role=Role.INTEGRATION)
    gone = UserFactory(is_active=False)

    for user in (machine, gone):
        answer = office(user).get(reverse("admin:index"))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


def test_costs_do_not_exist_for_those_without_the_right(
    rep: User, manager: User, office: Office
) -> None:
    page = reverse("admin:catalog_product_add")

    assert b"unit_cost" in office(manager).get(page).content
    assert office(rep).get(page).status_code == 403


def test_the_page_of_a_colleague_tells_nothing_of_their_work(
    office, rep, manager, outsider, acting
):
    territory = TerritoryMemberFactory(user=rep, territory__name="Silent valley").territory
    forget_reach()
    submit_forecast(
        period=this_quarter().key,
        forecast_type="commit",
        amount=Decimal("4321.55"),
        user_id=rep.pk,
        actor=acting(rep),
    )
    page = reverse("admin:users_user_change", args=[rep.pk])
    seen = office(manager).get(page).content.decode()
    assert territory.name in seen
    assert "4321.55" in seen
    told = office(outsider).get(page).content.decode()
    assert rep.name in told
    assert territory.name not in told
    assert "4321.55" not in told
