"""The shared read path: lists and single rows, from `fields.py` and `filters.py` straight to SQL.

Every door that shows rows (REST, GraphQL, exports) goes through a `Listing`: it renders the
actor's reach, the filters and the order into one statement, casts values to text in PostgreSQL and
leaves out the fields that the actor has no right to.
"""
