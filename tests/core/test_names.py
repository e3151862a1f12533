"""Names of people and places, kept in each process."""

from __future__ import annotations

import pytest

from apps.core.identifiers import new_id
from apps.core.rows.names import Names

pytestmark = pytest.mark.django_db


@pytest.fixture
def names():
    return Names("users_user")


def test_cards_come_in_the_order_asked_for_whatever_was_known(names, manager, rep, outsider):
    asked = [str(one.pk) for one in (rep, outsider, manager)]
    names.cards([str(outsider.pk)])
    assert list(names.cards(asked)) == asked
    assert list(names.cards(reversed(asked))) == asked[::-1]


def test_nobody_has_no_card(names, rep):
    card = {"id": str(rep.pk), "name": "Rex Rep"}
    assert names.cards([str(new_id()), str(rep.pk)]) == {str(rep.pk): card}
