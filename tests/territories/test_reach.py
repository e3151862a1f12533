"""How far people see: memberships, reporting lines, branches and grants."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.periods import organisation_today
from apps.territories.selectors import forget_reach, make_reach_stale
from apps.territories.services.people import grant_view
from apps.users.models import Role
from tests.factories.territories import TerritoryFactory, TerritoryMemberFactory
from tests.factories.users import UserFactory


def _territories(acting, user):
    make_reach_stale()
    return set(acting(user).reach.territory_ids)


def test_a_rep_sees_own_territories_but_not_their_branches(acting, rep):
    territory = TerritoryMemberFactory(user=rep).territory
    TerritoryFactory(parent_territory=territory)
    assert _territories(acting, rep) == {territory.pk}
    assert acting(rep).reach.user_ids == (rep.pk,)


def test_a_manager_sees_the_whole_team_and_its_branches(acting, manager, rep):
    junior = UserFactory(manager=rep)
    territory = TerritoryMemberFactory(user=junior).territory
    branch = TerritoryFactory(parent_territory=territory)
    assert _territories(acting, manager) == {territory.pk, branch.pk}
    assert set(acting(manager).reach.user_ids) == {manager.pk, rep.pk, junior.pk}


@pytest.mark.parametrize(("starts", "ends"), [(1, None), (-5, -1)])
def test_a_membership_counts_only_on_its_days(acting, rep, starts, ends):
    today = organisation_today()
    TerritoryMemberFactory(
        user=rep,
        valid_from=today + timedelta(days=starts),
        valid_until=None if ends is None else today + timedelta(days=ends),
    )
    assert _territories(acting, rep) == set()


def test_a_grant_shows_one_territory_until_it_expires(acting, admin, rep):
    territory = TerritoryFactory()
    TerritoryFactory(parent_territory=territory)
    soon = timezone.now() + timedelta(hours=1)
    grant = grant_view(
        territory_id=territory.pk, user_id=rep.pk, expires_at=soon, actor=acting(admin)
    )
    assert _territories(acting, rep) == {territory.pk}
    grant.expires_at = timezone.now() - timedelta(seconds=1)
    grant.save()
    assert _territories(acting, rep) == set()


def test_an_admin_sees_everything_and_a_reader_what_a_manager_would(acting, admin, db):
    reader = UserFactory(role=Role.READ_ONLY)
    territory = TerritoryMemberFactory(user=reader).territory
    branch = TerritoryFactory(parent_territory=territory)
    forget_reach()
    assert acting(admin).reach.everything
    assert _territories(acting, reader) == {territory.pk, branch.pk}
    assert not acting(reader).reach.unrouted
