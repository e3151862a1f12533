"""Forgetting sign-ins that are over."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.core.identifiers import new_id
from apps.users.models import SignIn
from apps.users.tasks import forget_what_is_old

NOW = timezone.now()
OLD, YOUNG = NOW - timedelta(days=31), NOW - timedelta(days=29)


def sign_in(user, *, expires_at, ended_at=None):
    return SignIn.objects.create(
        user=user, current_token=new_id(), expires_at=expires_at, ended_at=ended_at
    )


def test_sign_ins_go_a_month_after_they_ended_or_expired(rep):
    sign_in(rep, expires_at=OLD)
    sign_in(rep, expires_at=YOUNG, ended_at=OLD)
    stay = {
        sign_in(rep, expires_at=YOUNG),
        sign_in(rep, expires_at=NOW + timedelta(hours=8)),
        sign_in(rep, expires_at=NOW + timedelta(hours=8), ended_at=YOUNG),
    }
    for _ in range(2):
        forget_what_is_old()
        assert set(SignIn.objects.all()) == stay


def test_whoever_is_signed_in_stays_signed_in(rep, api):
    client = api(rep)
    forget_what_is_old()
    assert client.call("GET", "/leads").status_code == 200
    assert SignIn.objects.count() == 1


def test_sessions_go_a_day_after_they_expired(db):
    for key, expires in (("a", -25), ("b", -23), ("c", 1)):
        Session.objects.create(session_key=key, expire_date=NOW + timedelta(hours=expires))
    for _ in range(2):
        forget_what_is_old()
        assert set(Session.objects.values_list("session_key", flat=True)) == {"b", "c"}
