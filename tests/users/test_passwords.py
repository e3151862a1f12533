"""What a password may be, by the rules of production."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.core.errors import InvalidInput
from apps.users.services.people import set_password
from salesplatform.settings import base
from tests.factories.users import PASSWORD


@pytest.fixture(autouse=True)
def _strict(settings):
    settings.AUTH_PASSWORD_VALIDATORS = base.AUTH_PASSWORD_VALIDATORS


@pytest.mark.parametrize(
    "password",
    ["seven small ravens over blue hills " * 3, "ü" * 128, "nur kleine buchstaben", "🦓🦒 " * 8],
)
def test_takes_long_passwords_of_any_letters_whole(rep, system, password):
    set_password(user_id=rep.pk, password=password, actor=system)
    rep.refresh_from_db()
    assert rep.check_password(password)
    assert not rep.check_password(password[:-1])


def test_refuses_a_password_of_more_than_128_characters(rep, system):
    with pytest.raises(InvalidInput) as refused:
        set_password(user_id=rep.pk, password="ü" * 129, actor=system)
    assert refused.value.details["fields"] == {
        "password": ["A password has at most 128 characters."]
    }
    rep.refresh_from_db()
    assert rep.check_password(PASSWORD)


def test_nobody_changes_a_password_without_the_one_before(client, rep):
    client.force_login(rep)
    answer = client.post(
        reverse("admin:password_change"),
        {
            "old_password": "a wrong guess at it",
            "new_password1": "seven small ravens",
            "new_password2": "seven small ravens",
        },
    )
    assert "old_password" in answer.context["form"].errors
    rep.refresh_from_db()
    assert rep.check_password(PASSWORD)


def test_a_new_password_ends_the_sessions_of_the_back_office(client, rep, system):
    client.force_login(rep)
    assert client.get(reverse("admin:index")).status_code == 200
    set_password(user_id=rep.pk, password="seven small ravens", actor=system)
    assert client.get(reverse("admin:index")).status_code == 302
