"""One operation, one service: every command is keyword-only, typed, explained, and has an actor in
whose name it writes."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from django.apps import apps

from apps.core.commands import command as in_name_of_actor

# Commands that nobody is signed in for yet.
WITHOUT_ACTOR = {
    "revoke_token": "the token says who it is",
    "sign_out": "the token says who it is",
}

# Where the kernel has services.
KERNEL = (
    "apps.core.consents",
    "apps.core.data_keys",
    "apps.core.history",
    "apps.core.imports.requests",
    "apps.core.jobs",
    "apps.core.retention",
)
# Functions that take an actor and are no `@command`, by what they do instead.
BY_A_COMMAND = """
    accounts: reassign_account delete_account restore_account
    catalog: retire_product
    core: request_import
    customer_success: record_health record_usage record_nps record_ticket record_escalation
        record_feature_request close_unlisted_tickets
    integrations: handle_due pull_from_partners
    intelligence: suggest_everywhere suggest_to_customers suggest_about_open_leads
    leads: create_lead take_qualified_lead record_campaign move_leads delete_leads delete_lead
    quotas: allocate_quota plan_quotas
    users: consent
"""
WITHIN_A_COMMAND = """
    accounts: put_in_bin hand_over note_handovers begin_periods
    core: request_job keep_consent
    forecasts: take_snapshots measure_accuracy send_report
    intelligence: put_in_force
    leads: capture change_locked mark_lead_converted record_lead_scores score_leads_by_rules
    opportunities: open_deal hand_over keep bring_over record_deal_scores score_deals_by_rules
    quotas: tell_attained keep_quotas
    territories: note_assignments
    users: end_sign_ins
"""
ONLY_READING_OR_LOCKING = """
    activities: lock_activity lock_subjects timeline_of
    accounts: match_account recognise_account account_in_hand check_place first_place routed_places
    core: job_visible_to consents_of preview_import import_visible_to changes_visible_to
        fields_of_each hidden_columns
    customer_success: account_meant
    leads: lock_leads lock_lead lock_for_conversion
    opportunities: take_in_hand take_one_in_hand refuse_stale owner_of_new account_within_reach
        past_of change_of
    quotas: lock_quota check_holders
    privacy: what_would_be_erased everything_about export_visible_to exported_file
"""
# Transactions in nobody's name: what they write is not audited, or they are part of a command.
NAMELESS_TRANSACTIONS = {
    "users.attempts.Attempts": "counters of whoever comes by",
    "users.second_factor._take_code": "a code is used up before somebody is signed in",
    "users.sign_ins.exchange": "the token says who it is",
    "users.sign_ins.sign_out": "the token says who it is",
    "users.oauth.revoke_token": "the token says who it is",
    "forecasts.nightly.request_nightly_forecast": "a savepoint of the command",
    "integrations.inbox._keep": "a savepoint of the command",
    "integrations.inbox.handle_message": "a savepoint of the command",
    "integrations.inbox._Bodies": "forgetting, which nobody asks for",
    "integrations.sender.Sender": "how sending went is itself the record",
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


# Whatever `@command` decorates runs this code.
_RUN = in_name_of_actor(lambda *, actor: None).__code__


def _acts_in_a_name(function: object) -> bool:
    while function is not None:
        if getattr(function, "__code__", None) is _RUN:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def _own_functions() -> Iterator[tuple[str, str, object]]:
    """The public functions of all services, each with its app and name."""
    for module in [*_service_modules(), *map(import_module, KERNEL)]:
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and not name.startswith("_")
            if own and inspect.unwrap(function).__module__ == module.__name__:
                yield module.__name__.split(".")[1], name, function


def _listed(text: str) -> set[tuple[str, str]]:
    app, found = "", set()
    for word in text.split():
        if word.endswith(":"):
            app = word[:-1]
        else:
            found.add((app, word))
    return found


def test_what_takes_an_actor_writes_in_their_name():
    nameless = {
        (app, name)
        for app, name, function in _own_functions()
        if "actor" in inspect.signature(function).parameters and not _acts_in_a_name(function)
    }
    assert nameless == (
        _listed(BY_A_COMMAND) | _listed(WITHIN_A_COMMAND) | _listed(ONLY_READING_OR_LOCKING)
    )


def test_a_transaction_is_in_somebody_s_name():
    found = set()
    for module in _service_modules():
        for node in ast.parse(inspect.getsource(module)).body:
            if "transaction.atomic" in ast.unparse(node):
                app, _, name = module.__name__.removeprefix("apps.").partition(".services")
                found.add(f"{app}{name}.{getattr(node, 'name', node)}")
    assert found == set(NAMELESS_TRANSACTIONS)
