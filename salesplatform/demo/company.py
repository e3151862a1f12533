"""The people, territories and products of the demo company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from apps.catalog.models import Product
from apps.catalog.services.prices import add_price_book, set_price
from apps.catalog.services.products import add_product
from apps.core.actors import Actor
from apps.territories.services.people import add_member
from apps.territories.services.tree import draw_territory
from apps.users.models import User
from apps.users.services.people import add_user

PASSWORD = "demo"
DOMAIN = "demo.test"


@dataclass(frozen=True)
class People:
    """Who signs in to the demo."""

    admin: User
    manager: User
    rep: User
    rep2: User
    viewer: User


def refuse_demo_people() -> None:
    """Everybody knows their password: where demo data isn't allowed, the platform does not start.

    Raises ImproperlyConfigured.
    """
    if settings.DEMO_ALLOWED:
        return
    if User.objects.active().filter(email__iendswith=f"@{DOMAIN}").exists():
        raise ImproperlyConfigured("The demo's sign-ins are still active; end their access first.")


def hire_people(actor: Actor) -> People:
    """The five sign-ins of the demo; the manager leads both reps."""

    def hire(address: str, name: str, role: str, manager: User | None = None) -> User:
        return add_user(
            email=f"{address}@{DOMAIN}",
            name=name,
            role=role,
            password=PASSWORD,
            manager_id=manager.pk if manager else None,
            actor=actor,
        )

    manager = hire("manager", "Maria Lindqvist", "sales_manager")
    return People(
        admin=hire("admin", "Ada Okafor", "admin"),
        manager=manager,
        rep=hire("rep", "Ravi Sharma", "sales_rep", manager),
        rep2=hire("rep2", "Elena Fischer", "sales_rep", manager),
        viewer=hire("viewer", "Victor Hale", "read_only"),
    )


def draw_map(people: People, actor: Actor) -> None:
    """Two continents, a few countries and states, and one list of named accounts."""
    america = draw_territory(
        name="North America",
        type="geographic",
        countries=["US", "CA"],
        owner_id=people.manager.pk,
        actor=actor,
    )
    west = draw_territory(
        name="US West",
        type="geographic",
        parent_territory_id=america.pk,
        countries=["US"],
        states=["CA", "WA", "OR", "NV", "AZ"],
        owner_id=people.rep.pk,
        actor=actor,
    )
    east = draw_territory(
        name="US East",
        type="geographic",
        parent_territory_id=america.pk,
        countries=["US"],
        states=["NY", "MA", "NJ", "PA", "FL"],
        owner_id=people.rep.pk,
        actor=actor,
    )
    europe = draw_territory(
        name="Europe",
        type="geographic",
        countries=["DE", "AT", "CH", "GB", "IE", "FR", "NL", "SE"],
        owner_id=people.rep2.pk,
        actor=actor,
    )
    named = draw_territory(
        name="Strategic accounts",
        type="account",
        named_accounts=["Northwind Energy", "Helvetia Robotics"],
        owner_id=people.manager.pk,
        priority=10,
        actor=actor,
    )
    for territory, user, role in (
        (west, people.rep, "rep"),
        (east, people.rep, "rep"),
        (europe, people.rep2, "rep"),
        (america, people.manager, "manager"),
        (europe, people.manager, "manager"),
        (named, people.manager, "manager"),
        (europe, people.viewer, "support"),
    ):
        add_member(territory_id=territory.pk, user_id=user.pk, role=role, actor=actor)


def fill_catalog(actor: Actor) -> list[Product]:
    """Three products with prices and costs."""
    book = add_price_book(
        name="List 2026", currency="USD", valid_from=date(2026, 1, 1), actor=actor
    )
    products = []
    for code, name, family, price, cost in (
        ("prod_123", "Enterprise Plan", "Plans", "100.00", "31.00"),
        ("prod_124", "Team Plan", "Plans", "45.00", "14.50"),
        ("prod_201", "Onboarding package", "Services", "4800.00", "3100.00"),
    ):
        product = add_product(
            code=code, name=name, family=family, unit_cost=Decimal(cost), actor=actor
        )
        set_price(
            price_book_id=book.pk,
            product_id=product.pk,
            unit_price=Decimal(price),
            actor=actor,
        )
        products.append(product)
    return products
