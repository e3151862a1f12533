"""What is refused about the catalog."""

from apps.core.errors import Conflict, RuleBroken


class ProductCodeTaken(Conflict):
    """Two products would bear the same code."""

    reason = "product_code_taken"
    message = "There already is a product with this code."


class VariantOfItself(RuleBroken):
    """A product would be a variant of itself or of one of its variants."""

    reason = "variant_of_itself"
    message = "A product can't be a variant of itself."


class ProductRetired(RuleBroken):
    """Nothing new is priced for a product that is no longer sold."""

    reason = "product_retired"
    message = "The product is not sold any more."


class PriceBookNameTaken(Conflict):
    """Two price books would bear the same name."""

    reason = "price_book_name_taken"
    message = "There already is a price book with this name."
