"""Adding, changing and retiring products, and who sees what they cost."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from apps.catalog.errors import ProductCodeTaken, VariantOfItself
from apps.catalog.models import Product
from apps.catalog.services.products import add_product, change_product, retire_product
from apps.core.errors import NotAllowed, NotFound
from apps.core.models import BusinessEvent
from tests.factories.catalog import ProductFactory

PLAN = {
    "code": "prod_123",
    "name": "Enterprise Plan",
    "family": "Plans",
    "attributes": {"seats": 100},
    "tax_class": "saas",
    "unit_cost": 40.5,
    "cost_currency": "USD",
}


def test_adds_a_product_and_tells(api, manager):
    answer = api(manager).call("POST", "/products", PLAN)
    assert answer.status_code == 201, answer.content
    product = Product.objects.get()
    assert answer.json()["id"] == str(product.pk)
    assert answer.json()["code"] == "prod_123"
    assert (product.unit_cost, product.cost_currency) == (Decimal("40.50"), "USD")
    event = BusinessEvent.objects.get()
    assert (event.name, event.topic) == ("product.created", "sales.catalog")
    assert event.payload == {
        "product_id": str(product.pk),
        "code": "prod_123",
        "name": "Enterprise Plan",
        "family": "Plans",
        "parent_product_id": None,
    }


def test_a_cost_without_currency_is_in_the_organisations(acting, manager, settings):
    settings.DEFAULT_CURRENCY = "EUR"
    product = add_product(code="a", name="A", unit_cost=Decimal("1.00"), actor=acting(manager))
    assert product.cost_currency == "EUR"


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"code": ""}, "code"),
        ({"name": 7}, "name"),
        ({"stock": -1}, "stock"),
        ({"stock": True}, "stock"),
        ({"unit_cost": -1}, "unit_cost"),
        ({"unit_cost": 1.005}, "unit_cost"),
        ({"cost_currency": "XYZ"}, "cost_currency"),
        ({"attributes": []}, "attributes"),
        ({"colour": "red"}, "colour"),
        ({"parent_product_id": str(uuid4())}, "parent_product_id"),
    ],
)
def test_refuses_what_makes_no_sense(api, manager, facts, field):
    answer = api(manager).call("POST", "/products", {**PLAN, **facts})
    assert answer.status_code == 400
    assert list(answer.json()["error"]["details"]["fields"]) == [field]
    assert not Product.objects.exists()


def test_a_code_is_given_once(acting, manager):
    ProductFactory(code="prod_1")
    with pytest.raises(ProductCodeTaken):
        add_product(code="prod_1", name="Again", actor=acting(manager))
    other = ProductFactory(code="prod_2")
    with pytest.raises(ProductCodeTaken):
        change_product(product_id=other.pk, code="prod_1", actor=acting(manager))
    assert set(Product.objects.values_list("code", flat=True)) == {"prod_1", "prod_2"}


def test_a_rep_changes_nothing(acting, rep):
    product = ProductFactory(name="Plan")
    for refused in (
        lambda: add_product(code="x", name="X", actor=acting(rep)),
        lambda: change_product(product_id=product.pk, name="Mine", actor=acting(rep)),
        lambda: retire_product(product_id=product.pk, actor=acting(rep)),
    ):
        with pytest.raises(NotAllowed):
            refused()
    kept = Product.objects.get()
    assert (kept.name, kept.is_active) == ("Plan", True)
    assert not BusinessEvent.objects.exists()


def test_a_change_tells_what_changed_and_only_that(api, manager):
    product = ProductFactory(name="Plan", family="Plans")
    answer = api(manager).call(
        "PATCH", f"/products/{product.pk}", {"name": "Plan", "family": "Suites"}
    )
    assert answer.status_code == 200, answer.content
    assert answer.json()["family"] == "Suites"
    assert BusinessEvent.objects.get().payload["changed"] == ["family"]
    api(manager).call("PUT", f"/products/{product.pk}", {"family": "Suites"})
    assert BusinessEvent.objects.count() == 1


def test_a_product_is_no_variant_of_itself(acting, manager):
    plan = ProductFactory()
    large = ProductFactory(parent_product=plan)
    for parent in (plan, large):
        with pytest.raises(VariantOfItself):
            change_product(product_id=plan.pk, parent_product_id=parent.pk, actor=acting(manager))
    plan.refresh_from_db()
    assert plan.parent_product_id is None


def test_an_unknown_product_is_not_found(acting, manager):
    with pytest.raises(NotFound):
        change_product(product_id=uuid4(), name="X", actor=acting(manager))


def test_retiring_twice_tells_once(api, manager):
    product = ProductFactory()
    client = api(manager)
    for _ in range(2):
        assert client.call("DELETE", f"/products/{product.pk}").status_code == 204
    assert client.call("GET", "/products?is_active=true").json()["data"] == []
    assert client.call("GET", f"/products/{product.pk}").json()["is_active"] is False
    assert BusinessEvent.objects.get().payload["changed"] == ["is_active"]


def test_costs_do_not_exist_for_a_rep(api, rep, manager):
    product = ProductFactory(unit_cost=Decimal("40.50"), cost_currency="USD")
    seen = api(manager).call("GET", "/products").json()["data"][0]
    assert (seen["unit_cost"], seen["cost_currency"]) == (40.5, "USD")
    client = api(rep)
    for path in ("/products", f"/products/{product.pk}"):
        body = client.call("GET", path).json()
        row = body["data"][0] if "data" in body else body
        assert not {"unit_cost", "cost_currency"} & set(row)
    for question in ("ordering=unit_cost", "ordering=-unit_cost", "unit_cost_min=1"):
        answer = client.call("GET", f"/products?{question}")
        assert answer.status_code == 400
        names_allowed = answer.json()["error"]["message"].split(" by one of ")[-1]
        assert "cost" not in names_allowed.split("Filters: ")[-1]


def test_a_manager_orders_and_narrows_by_cost(api, manager):
    dear = ProductFactory(unit_cost=Decimal("90.00"), cost_currency="USD")
    cheap = ProductFactory(unit_cost=Decimal("10.00"), cost_currency="USD")
    client = api(manager)
    ordered = client.call("GET", "/products?ordering=-unit_cost").json()["data"]
    assert [row["id"] for row in ordered] == [str(dear.pk), str(cheap.pk)]
    narrowed = client.call("GET", "/products?unit_cost_max=10.00").json()["data"]
    assert [row["id"] for row in narrowed] == [str(cheap.pk)]


def test_whoever_may_not_see_costs_may_not_state_them(acting, manager):
    actor = acting(manager)
    blind = type(actor)(
        id=actor.id, role=actor.role, permissions=actor.permissions - {"product_cost:read"}
    )
    with pytest.raises(NotAllowed):
        add_product(code="x", name="X", unit_cost=Decimal("1.00"), actor=blind)
    assert not Product.objects.exists()
    assert add_product(code="x", name="X", actor=blind).unit_cost is None


def test_lists_in_a_fixed_number_of_queries(api, rep, django_assert_num_queries):
    parent = ProductFactory()
    ProductFactory.create_batch(3, parent_product=parent)
    client = api(rep)
    client.call("GET", "/products?family=warm")
    with django_assert_num_queries(3):  # rows, names of parents, total
        rows = client.call("GET", "/products?ordering=code").json()["data"]
    assert len(rows) == 4
    assert rows[-1]["parent_product"] == {"id": str(parent.pk), "name": parent.name}


def test_nobody_unknown_sees_products(client):
    assert client.get("/api/v1/products").status_code == 401
