"""Addresses of the catalog."""

from django.urls import path

from apps.catalog.api.price_books import PriceBookCollection, PriceBookItem, PriceBookPrices
from apps.catalog.api.products import ProductCollection, ProductItem

urlpatterns = [
    path("products", ProductCollection.as_view()),
    path("products/<uuid:product_id>", ProductItem.as_view()),
    path("price-books", PriceBookCollection.as_view()),
    path("price-books/<uuid:price_book_id>", PriceBookItem.as_view()),
    path("price-books/<uuid:price_book_id>/prices", PriceBookPrices.as_view()),
]
