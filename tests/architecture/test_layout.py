"""The layout is the architecture: what a file may be called, and what it may not contain."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.apps import apps
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

APPS = Path(__file__).resolve().parents[2] / "apps"

# The anatomy of an app (docs/architecture.md). A package of the same name splits it by noun.
ANATOMY = {
    "__init__",
    "admin",
    "api",
    "apps",
    "demo",
    "errors",
    "events",
    "fields",
    "filters",
    "graphql",
    "handlers",
    "management",
    "metrics",
    "middleware",
    "migrations",
    "models",
    "pages",
    "permissions",
    "personal_data",
    "querysets",
    "rules",
    "selectors",
    "services",
    "tasks",
}
FORBIDDEN = {"utils", "helpers", "managers", "signals", "constants", "interfaces", "mixins"}
DOMAIN_APPS = sorted(
    path.name
    for path in APPS.iterdir()
    if path.is_dir() and path.name not in ("core", "__pycache__")
)


@pytest.mark.parametrize("app", DOMAIN_APPS)
def test_an_app_has_only_the_files_of_the_anatomy(app):
    names = {path.stem for path in (APPS / app).iterdir() if path.name != "__pycache__"}
    assert names <= ANATOMY


def test_no_module_is_named_after_nothing():
    named = {path.stem for path in APPS.rglob("*.py")}
    assert not named & FORBIDDEN


def test_no_module_is_empty_but_package_markers():
    empty = [
        str(path.relative_to(APPS))
        for path in APPS.rglob("*.py")
        if path.stem != "__init__" and not path.read_text().strip()
    ]
    assert empty == []


@pytest.mark.parametrize("signal", [pre_save, post_save, pre_delete, post_delete])
def test_nothing_of_ours_hangs_on_model_signals(signal):
    ours = [
        receiver
        for receiver in signal.receivers
        if getattr(receiver[1](), "__module__", "").startswith(("apps.", "salesplatform."))
    ]
    assert ours == []


def test_every_foreign_key_points_down_or_sideways_within_its_app():
    order = ["core", "users", "territories", "catalog", "accounts", "leads"]
    order += ["customer_success", "opportunities"]
    order += ["activities", "quotas", "contracts", "forecasts", "commissions"]
    upward = [
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        if model._meta.app_label in order
        for field in model._meta.get_fields()
        if field.many_to_one
        and field.concrete
        and field.related_model._meta.app_label in order
        and order.index(field.related_model._meta.app_label) > order.index(model._meta.app_label)
    ]
    assert upward == []
