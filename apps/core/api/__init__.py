"""REST: one envelope, strict input, idempotent POSTs. Domain apps add addresses, not machinery."""
