"""Price books, tiers and the price that holds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from threading import Barrier, Thread
from uuid import uuid4

import pytest
from django.db import connections
from hypothesis import given
from hypothesis import strategies as some

from apps.catalog.errors import PriceBookNameTaken, ProductRetired
from apps.catalog.models import PriceBook, PriceBookEntry
from apps.catalog.rules import Price, best_price
from apps.catalog.selectors import price_of
from apps.catalog.services.prices import add_price_book, set_price
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.core.models import BusinessEvent
from tests.factories.catalog import PriceBookEntryFactory, PriceBookFactory, ProductFactory

DAY = date(2026, 3, 1)


def test_adds_a_price_book_and_tells(api, manager):
    answer = api(manager).call(
        "POST",
        "/price-books",
        {"name": "List 2026", "currency": "USD", "valid_from": "2026-01-01"},
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["valid_from"] == "2026-01-01"
    event = BusinessEvent.objects.get()
    assert (event.name, event.payload["currency"]) == ("price_book.created", "USD")


def test_a_price_book_starts_before_it_ends(api, manager):
    answer = api(manager).call(
        "POST",
        "/price-books",
        {
            "name": "List",
            "currency": "USD",
            "valid_from": "2026-02-01",
            "valid_until": "2026-01-31",
        },
    )
    assert answer.status_code == 400
    assert "valid_until" in answer.json()["error"]["details"]["fields"]
    assert not PriceBook.objects.exists()


def test_a_price_books_name_is_given_once(acting, manager):
    PriceBookFactory(name="List")
    with pytest.raises(PriceBookNameTaken):
        add_price_book(name="List", currency="EUR", actor=acting(manager))
    assert PriceBook.objects.get().currency == "USD"


def test_a_rep_sets_no_prices(acting, rep):
    book, product = PriceBookFactory(), ProductFactory()
    with pytest.raises(NotAllowed):
        add_price_book(name="Mine", currency="EUR", actor=acting(rep))
    with pytest.raises(NotAllowed):
        set_price(
            price_book_id=book.pk,
            product_id=product.pk,
            unit_price=Decimal("1.00"),
            actor=acting(rep),
        )
    assert (PriceBook.objects.count(), PriceBookEntry.objects.count()) == (1, 0)


def test_setting_a_price_again_changes_it_and_tells_once_each(api, manager):
    book = PriceBookFactory()
    product = ProductFactory(code="prod_123", unit_cost=Decimal("40.00"), cost_currency="USD")
    client = api(manager)
    for price in (100, 90.5, 90.5):
        answer = client.call(
            "PUT",
            f"/price-books/{book.pk}/prices",
            {"product_id": str(product.pk), "unit_price": price},
        )
        assert answer.status_code == 200, answer.content
    row = answer.json()
    assert row["product"] == {"id": str(product.pk), "name": product.name}
    assert (row["product_code"], row["currency"]) == ("prod_123", "USD")
    assert (row["unit_price"], row["unit_cost"], row["margin"]) == (90.5, 40.0, 50.5)
    told = BusinessEvent.objects.order_by("sequence").values_list("payload", flat=True)
    assert [(one["previous_unit_price"], one["unit_price"]) for one in told] == [
        (None, 100.0),
        (100.0, 90.5),
    ]


def test_margins_do_not_exist_for_a_rep(api, rep):
    product = ProductFactory(unit_cost=Decimal("40.00"), cost_currency="USD")
    entry = PriceBookEntryFactory(product=product)
    client = api(rep)
    row = client.call("GET", f"/price-books/{entry.price_book_id}/prices").json()["data"][0]
    assert row["unit_price"] == 100.0
    assert not {"unit_cost", "margin"} & set(row)
    for question in ("ordering=margin", "ordering=unit_cost", "margin_min=1"):
        path = f"/price-books/{entry.price_book_id}/prices?{question}"
        assert client.call("GET", path).status_code == 400


def test_amounts_in_two_currencies_have_no_margin(api, manager):
    product = ProductFactory(unit_cost=Decimal("40.00"), cost_currency="EUR")
    entry = PriceBookEntryFactory(product=product)
    row = api(manager).call("GET", f"/price-books/{entry.price_book_id}/prices").json()["data"][0]
    assert row["margin"] is None


def test_a_price_book_shows_its_own_prices_only(api, rep):
    entry = PriceBookEntryFactory()
    PriceBookEntryFactory()
    client = api(rep)
    rows = client.call("GET", f"/price-books/{entry.price_book_id}/prices").json()["data"]
    assert [row["id"] for row in rows] == [str(entry.pk)]
    assert client.call("GET", f"/price-books/{uuid4()}/prices").status_code == 404


def test_refuses_prices_that_make_no_sense(acting, manager):
    book, product = PriceBookFactory(), ProductFactory()
    retired = ProductFactory(is_active=False)
    one = {"unit_price": Decimal("1.00"), "actor": acting(manager)}
    with pytest.raises(NotFound):
        set_price(price_book_id=uuid4(), product_id=product.pk, **one)
    with pytest.raises(InvalidInput):
        set_price(price_book_id=book.pk, product_id=uuid4(), **one)
    with pytest.raises(InvalidInput):
        set_price(price_book_id=book.pk, product_id=product.pk, min_quantity=0, **one)
    with pytest.raises(ProductRetired):
        set_price(price_book_id=book.pk, product_id=retired.pk, **one)
    assert not PriceBookEntry.objects.exists()


@pytest.mark.parametrize(
    ("quantity", "price"),
    [("0.5", None), (1, "100.00"), (9, "100.00"), (10, "90.00"), (99, "90.00"), (100, "75.00")],
)
def test_the_highest_tier_reached_holds(db, quantity, price):
    book, product = PriceBookFactory(), ProductFactory()
    for least, amount in ((1, "100.00"), (10, "90.00"), (100, "75.00")):
        PriceBookEntryFactory(
            price_book=book, product=product, min_quantity=least, unit_price=Decimal(amount)
        )
    found = price_of(product.pk, quantity=Decimal(quantity), day=DAY, currency="USD")
    assert (found and str(found.unit_price)) == price


def test_the_newest_valid_price_book_of_the_currency_holds(db):
    product = ProductFactory()

    def book(amount, **facts):
        return PriceBookEntryFactory(
            product=product, price_book=PriceBookFactory(**facts), unit_price=Decimal(amount)
        ).price_book

    book("1.00", valid_from=date(2025, 1, 1))
    newest = book("2.00", valid_from=date(2026, 2, 1), valid_until=DAY)
    book("3.00", valid_from=date(2026, 3, 2))
    book("4.00", valid_from=date(2026, 2, 15), is_active=False)
    euros = book("5.00", valid_from=date(2026, 2, 20), currency="EUR")

    found = price_of(product.pk, quantity=1, day=DAY, currency="USD")
    assert (found.unit_price, found.price_book_id) == (Decimal("2.00"), newest.pk)
    named = price_of(product.pk, quantity=1, day=DAY, price_book_id=euros.pk)
    assert (named.unit_price, named.currency) == (Decimal("5.00"), "EUR")
    assert price_of(product.pk, quantity=1, day=date(2026, 3, 2), price_book_id=newest.pk) is None
    assert price_of(product.pk, quantity=1, day=DAY, currency="GBP") is None


def test_a_retired_product_has_no_price(db):
    entry = PriceBookEntryFactory(product__is_active=False)
    assert price_of(entry.product_id, quantity=1, day=DAY, currency="USD") is None


@given(
    tiers=some.sets(some.integers(1, 1000), min_size=1, max_size=8),
    quantity=some.integers(1, 1000),
)
def test_a_price_holds_exactly_from_the_lowest_tier_on(tiers, quantity):
    book = uuid4()
    prices = [Price(Decimal(one), "USD", one, book, "List", DAY) for one in sorted(tiers)]
    found = best_price(prices, Decimal(quantity))
    reached = [one for one in tiers if one <= quantity]
    assert (found and found.min_quantity) == (max(reached) if reached else None)


@pytest.mark.django_db(transaction=True)
def test_two_who_set_the_same_price_at_once_both_succeed(acting, manager):
    book, product = PriceBookFactory(), ProductFactory()
    actor, start, failures = acting(manager), Barrier(2), []

    def set_it(amount: str) -> None:
        try:
            start.wait(5)
            set_price(
                price_book_id=book.pk,
                product_id=product.pk,
                unit_price=Decimal(amount),
                actor=actor,
            )
        except Exception as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    threads = [Thread(target=set_it, args=(amount,)) for amount in ("1.00", "2.00")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert failures == []
    assert PriceBookEntry.objects.count() == 1
    assert BusinessEvent.objects.count() == 2
