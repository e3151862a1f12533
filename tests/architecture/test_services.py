"""One operation, one service: every command is keyword-only, typed, explained, and has an actor."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from django.apps import apps

# Commands that nobody is signed in for yet.
WITHOUT_ACTOR = {
    "start_sign_in": "the person is only becoming an actor",
    "note_sign_in": "the person is only becoming an actor",
    "revoke_token": "the token says who it is",
    "sign_out": "the token says who it is",
    "seed_default_pipeline": "reference data of an empty system",
}


def _service_modules() -> Iterator[ModuleType]:
    for config in apps.get_app_configs():
        if not config.name.startswith("apps."):
            continue
        name = f"{config.name}.services"
        try:
            package = import_module(name)
        except ModuleNotFoundError:
            continue
        yield package
        for found in pkgutil.iter_modules(getattr(package, "__path__", [])):
            yield import_module(f"{name}.{found.name}")


def _is_command(function: object) -> bool:
    """Whether a function is a business operation: it opens a transaction or names its actor."""
    if not inspect.isfunction(function):
        return False
    actor = inspect.signature(function).parameters.get("actor")
    opens_transaction = inspect.unwrap(function) is not function
    return opens_transaction or (actor is not None and actor.kind is actor.KEYWORD_ONLY)


COMMANDS = sorted(
    {
        (f"{module.__name__}.{name}", function)
        for module in _service_modules()
        for name, function in vars(module).items()
        if not name.startswith("_")
        and _is_command(function)
        and inspect.unwrap(function).__module__ == module.__name__
    },
    key=lambda entry: entry[0],
)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_names_its_actor_and_explains_itself(name, command):
    signature = inspect.signature(inspect.unwrap(command))
    if name.rpartition(".")[2] not in WITHOUT_ACTOR:
        assert "actor" in signature.parameters
        assert signature.parameters["actor"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(
        parameter.annotation is not inspect.Parameter.empty
        for parameter in signature.parameters.values()
    )
    assert (inspect.getdoc(inspect.unwrap(command)) or "").strip()


def test_the_exceptions_still_exist():
    assert {name.rpartition(".")[2] for name, _ in COMMANDS} >= set(WITHOUT_ACTOR)
