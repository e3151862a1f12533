"""Encrypted columns on rows."""

from __future__ import annotations

import orjson
import pytest
from django.core.exceptions import FieldError
from django.db import connection, transaction

from apps.core.data_keys import destroy_keys
from apps.core.encryption.ring import Undecipherable
from apps.core.loading import insert_rows, read_rows, update_rows
from apps.core.models import Change, DataKey
from apps.leads.fields import LEADS
from apps.leads.models import Lead
from tests.factories.leads import LeadFactory
from tests.factories.users import actor_of

PERSON = {"email": "Jane@acme.example", "phone": "+49 30 123456", "metadata": {"seat": "12A"}}

pytestmark = pytest.mark.django_db


def stored(lead, *columns):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM leads_lead WHERE id = %s", [lead.pk])
        return cursor.fetchone()


def known_of(lead):
    return {name: getattr(lead, name) for name in PERSON}


@pytest.mark.parametrize("count", [1, 25])
def test_rows_come_back_as_they_were_written_by_every_way(count):
    rows = [LeadFactory.build(**PERSON) for _ in range(count)]
    for number, row in enumerate(rows):
        row.email_key = str(number)
    insert_rows(Lead, rows)
    ids = [row.pk for row in rows]
    assert DataKey.objects.count() == count
    for found in (read_rows(Lead, ids), list(Lead.objects.with_ids(ids))):
        assert [known_of(one) for one in found] == [PERSON] * count


def test_a_page_of_rows_brings_its_keys_along(django_assert_num_queries):
    ids = [LeadFactory().pk for _ in range(3)]
    for read in (lambda: list(Lead.objects.with_ids(ids)), lambda: read_rows(Lead, ids)):
        with django_assert_num_queries(1):
            assert all(one.email for one in read())


def test_what_stands_in_the_table_is_ciphertext_and_nothing_for_nothing():
    lead = LeadFactory(**{**PERSON, "phone": ""})
    email, phone, metadata = map(bytes, stored(lead, "email", "phone", "metadata"))
    assert b"acme" not in email
    assert b"12A" not in metadata
    assert phone == b""
    assert len(email) == len("Jane@acme.example") + 12 + 16


def test_a_ciphertext_that_was_moved_to_another_row_or_column_opens_nowhere():
    one, other = LeadFactory(**PERSON), LeadFactory()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE leads_lead SET phone = email, data_key_id = %s,"
            " email = (SELECT email FROM leads_lead WHERE id = %s) WHERE id = %s",
            [one.data_key_id, one.pk, other.pk],
        )
    moved = Lead.objects.get(pk=other.pk)
    for name in ("email", "phone"):
        with pytest.raises(Undecipherable):
            getattr(moved, name)


def test_what_was_not_changed_is_written_back_as_it_was():
    lead = Lead.objects.get(pk=LeadFactory(**PERSON).pk)
    before = stored(lead, "email", "phone", "metadata")
    assert known_of(lead) == PERSON
    lead.email, lead.title = "Jane@acme.example", "CTO"
    lead.save()
    assert stored(lead, "email", "phone", "metadata") == before
    update_rows([lead], ("email", "phone", "metadata"))
    assert stored(lead, "email", "phone", "metadata") == before
    change = Change.objects.filter(row_id=lead.pk).latest("sequence")
    assert change.after == {"title": "CTO"}


def test_a_change_within_an_object_is_written():
    lead = Lead.objects.get(pk=LeadFactory(**PERSON).pk)
    lead.metadata["seat"] = "1C"
    lead.save()
    assert Lead.objects.get(pk=lead.pk).metadata == {"seat": "1C"}


def test_columns_that_were_put_off_are_read_when_asked_for():
    LeadFactory(**PERSON)
    lead = Lead.objects.defer("email", "metadata").get()
    assert (lead.email, lead.metadata) == ("Jane@acme.example", {"seat": "12A"})


@pytest.mark.parametrize(
    "lookup", ["email", "email__icontains", "phone__in", "metadata__seat", "metadata__has_key"]
)
def test_nobody_searches_what_is_encrypted(lookup):
    with pytest.raises(FieldError, match="encrypted"):
        Lead.objects.filter(**{lookup: ["x"]})


def test_an_update_of_many_rows_at_once_is_refused():
    lead = LeadFactory(**PERSON)
    with pytest.raises(TypeError, match="encrypted row by row"), transaction.atomic():
        Lead.objects.update(email="clear@acme.example")
    assert Lead.objects.get(pk=lead.pk).email == "Jane@acme.example"


def test_whoever_destroys_a_key_erases_what_was_written_under_it(admin):
    lead, other = LeadFactory(**PERSON), LeadFactory(email="joe@acme.example")
    assert destroy_keys([lead.data_key_id]) == 1
    assert destroy_keys([lead.data_key_id]) == 0
    assert known_of(Lead.objects.get(pk=lead.pk)) == {"email": "", "phone": "", "metadata": {}}
    shown = orjson.loads(orjson.dumps(LEADS.one(actor_of(admin), lead.pk)))
    assert {name: shown[name] for name in PERSON} == {"email": "", "phone": "", "metadata": {}}
    assert Lead.objects.get(pk=other.pk).email == "joe@acme.example"
