"""The table of commands and doors: each is offered, or somebody says why not.

Commands and doors are read from the code, so a service that no door offers fails here. `make
commands` writes the table to docs/commands.md.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "commands.md"

REST, OFFICE, GRAPHQL = "REST", "back office", "GraphQL"
BULK, IMPORT, LINE, CLOCK, EVENT = "bulk", "import", "command line", "clock", "event"
DOORS = (REST, OFFICE, GRAPHQL, BULK, IMPORT, LINE, CLOCK, EVENT)
FOLDERS = {
    "api": REST,
    "admin": OFFICE,
    "back_office": OFFICE,
    "pages": OFFICE,
    "graphql": GRAPHQL,
    "management": LINE,
    "tasks": CLOCK,
    "handlers": EVENT,
}
# What people and other systems do is offered by both of these, or a sentence says why not.
MAIN_DOORS = (REST, OFFICE)
# The kernel has no folder of services.
KERNEL = (
    "apps.core.consents",
    "apps.core.data_keys",
    "apps.core.exchange_rates",
    "apps.core.imports.requests",
    "apps.core.jobs",
    "apps.core.retention",
)

# What the rows of a file of each kind do.
IMPORTED = {
    "leads": ("create_lead", "change_lead"),
    "accounts": ("open_account", "change_account"),
    "opportunities": ("create_opportunity", "change_opportunity"),
}
# Public and in one transaction, but never asked for by itself.
STEPS = {
    "change_each": "how operations on many leads change each of them",
    "log_communication": "what an e-mail, call or meeting becomes of which a partner tells",
    "open_deal": "how a deal begins, whether it is created or comes from a lead",
}
READS = {
    "preview_import": "a look at a file, which changes nothing",
    "consents_of": "a look at what somebody agreed to",
    "exported_file": "a file that is fetched",
    "timeline_of": "a look at what was done and happened",
    "what_would_be_erased": "a look at what erasing somebody would take",
}

_IN_THE_OFFICE = "People and their rights are kept in the back office."
_PARTNERS_IN_THE_OFFICE = "Partners and what they sent are kept in the back office."
_BY_PARTNERS = "It is how partners tell us something."
_AT_SIGN_IN = "It is part of signing in to the pages."
_BY_CHANGE = "The owner is a field of the record: changing it hands the record over."
_BY_MACHINE = "The platform does it by itself."
NOT_OFFERED = {
    ("add_user", REST): _IN_THE_OFFICE,
    ("change_access", REST): _IN_THE_OFFICE,
    ("set_password", REST): _IN_THE_OFFICE,
    ("set_time_zone", REST): _IN_THE_OFFICE,
    ("allow_role", REST): _IN_THE_OFFICE,
    ("limit_requests", REST): _IN_THE_OFFICE,
    ("bind_client", REST): _IN_THE_OFFICE,
    ("reset_second_factor", REST): _IN_THE_OFFICE,
    ("admit_application", REST): _IN_THE_OFFICE,
    ("end_application", REST): _IN_THE_OFFICE,
    ("consent", REST): _AT_SIGN_IN,
    ("begin_second_factor", REST): _AT_SIGN_IN,
    ("confirm_second_factor", REST): _AT_SIGN_IN,
    ("add_claimed_members", REST): _BY_MACHINE,
    ("add_claimed_members", OFFICE): _BY_MACHINE,
    ("add_member", REST): _IN_THE_OFFICE,
    ("end_membership", REST): _IN_THE_OFFICE,
    ("grant_view", REST): _IN_THE_OFFICE,
    ("note_absence", REST): _IN_THE_OFFICE,
    ("reassign_opportunity", REST): _BY_CHANGE,
    ("void_contracts", REST): _BY_MACHINE,
    ("void_contracts", OFFICE): _BY_MACHINE,
    ("add_partner", REST): _PARTNERS_IN_THE_OFFICE,
    ("rotate_secret", REST): _PARTNERS_IN_THE_OFFICE,
    ("pause_partner", REST): _PARTNERS_IN_THE_OFFICE,
    ("resume_partner", REST): _PARTNERS_IN_THE_OFFICE,
    ("replay_message", REST): _PARTNERS_IN_THE_OFFICE,
    ("take_message", OFFICE): _BY_PARTNERS,
    ("take_delivery", REST): "Queues bring it.",
    ("take_delivery", OFFICE): _BY_PARTNERS,
    ("sync_lead", OFFICE): "It is what marketing says; people change a lead.",
    ("connect_partner", REST): _PARTNERS_IN_THE_OFFICE,
    ("pull_from_partners", REST): _BY_MACHINE,
    ("pull_from_partners", OFFICE): _BY_MACHINE,
    ("handle_due", REST): _BY_MACHINE,
    ("handle_due", OFFICE): _BY_MACHINE,
    ("handle_message", REST): _BY_MACHINE,
    ("handle_message", OFFICE): _BY_MACHINE,
    ("acknowledge_sale", OFFICE): "It is what billing says; people acknowledge a contract.",
    ("check_drift", REST): _BY_MACHINE,
    ("check_drift", OFFICE): _BY_MACHINE,
    ("suggest", REST): _BY_MACHINE,
    ("suggest", OFFICE): _BY_MACHINE,
    ("suggest_about_leads", REST): _BY_MACHINE,
    ("suggest_about_leads", OFFICE): _BY_MACHINE,
    ("suggest_about_open_leads", REST): _BY_MACHINE,
    ("suggest_about_open_leads", OFFICE): _BY_MACHINE,
    ("suggest_to_customers", REST): _BY_MACHINE,
    ("suggest_to_customers", OFFICE): _BY_MACHINE,
    ("suggest_everywhere", REST): _BY_MACHINE,
    ("suggest_everywhere", OFFICE): _BY_MACHINE,
    ("score_deals", REST): _BY_MACHINE,
    ("score_deals", OFFICE): _BY_MACHINE,
    ("score_deals_of_customers", REST): _BY_MACHINE,
    ("score_deals_of_customers", OFFICE): _BY_MACHINE,
    ("score_leads", REST): _BY_MACHINE,
    ("score_leads", OFFICE): _BY_MACHINE,
    ("compute_forecasts", REST): _BY_MACHINE,
    ("compute_forecasts", OFFICE): _BY_MACHINE,
    ("credit_deals", REST): _BY_MACHINE,
    ("credit_deals", OFFICE): _BY_MACHINE,
    ("credit_unheard", REST): _BY_MACHINE,
    ("credit_unheard", OFFICE): _BY_MACHINE,
    ("count_activities", REST): _BY_MACHINE,
    ("count_activities", OFFICE): _BY_MACHINE,
    ("recount_activities", REST): _BY_MACHINE,
    ("recount_activities", OFFICE): _BY_MACHINE,
    ("recompute_affected", REST): _BY_MACHINE,
    ("recompute_affected", OFFICE): _BY_MACHINE,
    ("issue_due_reports", REST): _BY_MACHINE,
    ("issue_due_reports", OFFICE): _BY_MACHINE,
    ("request_nightly_forecast", REST): _BY_MACHINE,
    ("request_nightly_forecast", OFFICE): _BY_MACHINE,
    ("request_rotation", REST): "Whoever runs the system decides it on the machine.",
    ("request_rotation", OFFICE): "Whoever runs the system decides it on the machine.",
    ("seed_default_pipeline", REST): "It is part of setting a system up.",
    ("seed_default_pipeline", OFFICE): "It is part of setting a system up.",
    ("keep_for", REST): "Whoever runs the system decides it on the machine.",
    ("keep_for", OFFICE): "Whoever runs the system decides it on the machine.",
}


@dataclass
class Command:
    """A business operation, with its form for many rows, and the doors that offer it."""

    app: str
    name: str
    sentence: str
    doors: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Function:
    """A public function that names its actor."""

    module: str
    name: str
    sentence: str
    is_decorated: bool

    @property
    def app(self) -> str:
        return self.module.split(".")[1]


@cache
def trees() -> dict[Path, ast.Module]:
    """The code, by file."""
    files = [*ROOT.glob("apps/**/*.py"), *ROOT.glob("salesplatform/**/*.py")]
    return {
        path.relative_to(ROOT): ast.parse(path.read_text())
        for path in sorted(files)
        if "migrations" not in path.parts
    }


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def functions() -> Iterator[Function]:
    """What services can do for an actor."""
    for path, tree in trees().items():
        module = module_of(path)
        if not (module.split(".")[2:3] == ["services"] or module in KERNEL):
            continue
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            if "actor" in {argument.arg for argument in node.args.kwonlyargs}:
                text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                decorators = {ast.unparse(one) for one in node.decorator_list}
                yield Function(
                    module,
                    node.name,
                    text.partition(". ")[0].rstrip(".") + ".",
                    "command" in decorators,
                )


def door_of(path: Path) -> str | None:
    """The door that a file belongs to."""
    if path.stem == "bulk" and "services" in path.parts:
        return BULK
    parts = [part.removesuffix(".py") for part in path.parts]
    return next((door for folder, door in FOLDERS.items() if folder in parts), None)


def references(tree: ast.Module) -> Iterator[str]:
    """The full names that a file uses of other modules."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{modules.get(node.value.id, '')}.{node.attr}"


@cache
def offers() -> dict[str, set[str]]:
    """The doors that use each name."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, tree in trees().items():
        if door := door_of(path):
            for name in references(tree):
                found[name].add(door)
    return found


@cache
def parts_of_others() -> set[str]:
    """The full names that modules use of each other, and of themselves, behind the doors."""
    found: set[str] = set()
    for path, tree in trees().items():
        if door_of(path) is None:
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            found |= {*references(tree), *(f"{module_of(path)}.{name}" for name in names)}
    return found


def is_command(function: Function) -> bool:
    """Whether a function is asked for by itself: whatever is no mere part of others."""
    if function.name in STEPS or function.name in READS:
        return False
    full = f"{function.module}.{function.name}"
    return function.is_decorated or bool(offers()[full]) or full not in parts_of_others()


def import_kinds() -> set[str]:
    """The kinds of rows that files are imported of."""
    return {
        statement.value.value
        for tree in trees().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and "ImportKind" in map(ast.unparse, node.bases)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Constant)
        and ast.unparse(statement.targets[0]) == "name"
    }


def of_one(name: str) -> str:
    """The name of the operation on one row."""
    return f"{name.removesuffix('ies')}y" if name.endswith("ies") else name.removesuffix("s")


def is_of_many(name: str, known: set[str]) -> bool:
    """Whether a function does for many rows what another one does for one."""
    return of_one(name) != name and of_one(name) in known


@cache
def commands() -> dict[str, Command]:
    """What can happen, by name; what is done to many rows is one with what is done to one."""
    found: dict[str, Command] = {}
    known = {one.name for one in functions()}
    for one in sorted(functions(), key=lambda function: is_of_many(function.name, known)):
        if not is_command(one):
            continue
        name = of_one(one.name) if is_of_many(one.name, known) else one.name
        command = found.setdefault(name, Command(one.app, name, one.sentence))
        command.doors |= offers()[f"{one.module}.{one.name}"]
        command.doors |= {IMPORT for names in IMPORTED.values() if name in names}
    return found


def missing_doors(command: Command) -> list[str]:
    """The main doors that do not offer a command; a bulk operation is offered by REST."""
    offered = command.doors | ({REST} if BULK in command.doors else set())
    return [door for door in MAIN_DOORS if door not in offered]


def test_every_command_is_offered_by_some_door():
    assert [one.name for one in commands().values() if not one.doors] == []


def test_what_a_main_door_does_not_offer_is_explained():
    missing = {(one.name, door) for one in commands().values() for door in missing_doors(one)}
    assert missing - set(NOT_OFFERED) == set()


def test_explanations_are_of_commands_that_are_not_offered():
    missing = {(one.name, door) for one in commands().values() for door in missing_doors(one)}
    assert set(NOT_OFFERED) - missing == set()


def test_every_kind_of_import_says_what_its_rows_do():
    assert set(IMPORTED) == import_kinds()
    assert {name for names in IMPORTED.values() for name in names} <= set(commands())


def test_steps_and_reads_are_offered_by_no_door_as_commands():
    known = {one.name: f"{one.module}.{one.name}" for one in functions()}
    assert set(STEPS) | set(READS) <= set(known)
    assert [name for name in STEPS if offers()[known[name]]] == []


def test_a_name_means_one_command():
    names = sorted(one.name for one in functions() if is_command(one))
    assert [name for name, same in groupby(names) if len(list(same)) > 1] == []


@pytest.mark.parametrize("name", ["create_lead", "move_opportunity", "convert_lead"])
def test_the_table_sees_the_doors(name):
    assert {REST, OFFICE} <= commands()[name].doors


def test_the_document_is_fresh():
    assert DOCUMENT.read_text() == document(), "docs/commands.md is stale: run make commands."


def document() -> str:
    """The table as docs/commands.md shows it."""
    lines = [
        "# Commands and doors",
        "",
        "What can happen, and which door offers it: written by `make commands` from the code. A",
        "command that no door offers fails `tests/architecture/test_commands.py`, and so does one",
        "that REST or the back office leaves out without a reason. Bulk operations belong to REST.",
        "The other doors offer what their columns say: files make and change rows, the clock and",
        "events start what nobody has to ask for, the command line is for whoever runs the system.",
        "",
    ]
    in_order = sorted(commands().values(), key=lambda one: (one.app, one.name))
    for app, group in groupby(in_order, key=lambda one: one.app):
        lines += [f"## {app}", "", f"| command | what happens | {' | '.join(DOORS)} |"]
        lines.append(f"|---|---|{'---|' * len(DOORS)}")
        for one in group:
            cells = " | ".join("yes" if door in one.doors else "–" for door in DOORS)
            lines.append(f"| `{one.name}` | {one.sentence} | {cells} |")
        lines.append("")
    lines += ["## Not offered, because", "", "| command | door | because |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {door} | {reason} |" for (name, door), reason in sorted(NOT_OFFERED.items())
    ]
    lines += ["", "## Part of other commands", "", "| function | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in sorted((STEPS | READS).items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
