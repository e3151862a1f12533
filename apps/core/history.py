"""The change history: who made what of every row of the business tables, field by field.

A model says that it belongs to the history, under which name, and which columns nobody cares for:

    @audited("leads", leave_out=("email_key", "version"))
    class Lead(Binnable): ...

`rights` are those without which a column stays hidden, where no listing of the rows says so.

Its migration lets the database keep watch with `Watch`: triggers see every write of every kind.
Who acted is what `core.commands` told the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, models
from django.db.migrations.operations.base import Operation
from django.db.models import QuerySet

from apps.core.accesses import Reading, note_access
from apps.core.actors import Actor, system_actor
from apps.core.commands import command
from apps.core.encryption.columns import encrypted_columns, key_column
from apps.core.encryption.ring import Cipher
from apps.core.identifiers import made_at
from apps.core.models import Change
from apps.core.partitions import detached_months_of, kept_by
from apps.core.permissions import ERASE_PERSON, READ_AUDIT, require
from apps.core.rows.listing import listings

ModelClass = TypeVar("ModelClass", bound=type[models.Model])

CHANGES = kept_by(Change)
# Every row has them, or they are worked out from other columns.
NOBODY_CARES_FOR = ("id", "created_at", "updated_at", "search_vector")
# Ids are made by the application, moments by the database.
CLOCKS_DIFFER_BY = timedelta(days=1)


@dataclass(frozen=True)
class Audited:
    """A table whose rows have a history."""

    kind: str
    model: type[models.Model]
    leave_out: tuple[str, ...]
    rights: Mapping[str, str]


_audited: dict[str, Audited] = {}


def audited(
    kind: str, *, leave_out: Iterable[str] = (), rights: Mapping[str, str] | None = None
) -> Callable[[ModelClass], ModelClass]:
    """Declare that a model's rows have a history. `kind` is the name of their listing, if any."""

    def register(model: ModelClass) -> ModelClass:
        _audited[kind] = Audited(kind, model, (*NOBODY_CARES_FOR, *leave_out), rights or {})
        return model

    return register


def everything_audited() -> dict[str, Audited]:
    """Every table with a history, by the kind of its rows."""
    return dict(sorted(_audited.items()))


def undone(*, row: str, kind: str, moment: str, columns: Collection[str]) -> str:
    """A query for what some columns of a row held at a moment: `undone`, as JSON of those that
    changed since. To be joined laterally, so that it is asked once for a row.

    Args:
        row, moment: SQL of the row's id and of the moment.
        kind: as `audited` names it.
    """
    names = ", ".join(f"'{one}'" for one in columns)
    return f"""
    SELECT jsonb_object_agg(first.key, first.value) AS undone FROM (
        SELECT DISTINCT ON (held.key) held.key, held.value
        FROM core_change c CROSS JOIN LATERAL jsonb_each(c.before) AS held
        WHERE c.row_id = {row} AND c.kind = '{kind}' AND c.action = 'changed'
          AND c.changed_at > {moment} AND held.key IN ({names})
        ORDER BY held.key, c.sequence
    ) AS first"""


class Watch(Operation):
    """Let triggers write the history of a model's rows from here on, and no other way.

    Give it again, after the columns, when another one is to be left out, with what was left out
    `before`: going back, that is watched again.
    """

    reversible = True
    EVENTS = (
        ("insert", "NEW TABLE AS new_rows"),
        ("update", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        ("delete", "OLD TABLE AS old_rows"),
    )

    def __init__(
        self,
        model_name: str,
        kind: str,
        *,
        leave_out: Iterable[str] = (),
        before: Iterable[str] | None = None,
    ) -> None:
        self.model_name, self.kind = model_name, kind
        self.leave_out = (*NOBODY_CARES_FOR, *leave_out)
        self.before = None if before is None else (*NOBODY_CARES_FOR, *before)

    def describe(self) -> str:
        """What a plan of migrations shows."""
        return f"Keep the history of {self.model_name}"

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The model stays as it is."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Make the triggers, in place of those that are there."""
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        self._make(schema_editor, table, self.leave_out)

    def _make(self, schema_editor: Any, table: str, leave_out: Iterable[str]) -> None:
        left_out = f"{{{','.join(leave_out)}}}"
        for event, transition in self.EVENTS:
            schema_editor.execute(
                f'CREATE OR REPLACE TRIGGER history_of_{event} AFTER {event} ON "{table}"'
                f" REFERENCING {transition} FOR EACH STATEMENT"
                f" EXECUTE FUNCTION core_note_changes('{self.kind}', '{left_out}')"
            )

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Take the triggers away, or put back those of before."""
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        if self.before is not None:
            self._make(schema_editor, table, self.before)
            return
        for event, _ in self.EVENTS:
            schema_editor.execute(f'DROP TRIGGER history_of_{event} ON "{table}"')


class EraseColumns(Operation):
    """Take from the history, provably, what it holds of columns that are encrypted from here on."""

    reversible = True
    reduces_to_sql = False

    def __init__(self, kind: str, columns: Iterable[str]) -> None:
        self.kind, self.columns = kind, tuple(columns)

    def describe(self) -> str:
        """What a plan of migrations shows."""
        return f"Erase {', '.join(self.columns)} from the history of {self.kind}"

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models stay as they are."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Erase every entry that tells of one of the columns."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_TOLD_OF, [self.kind, list(self.columns), list(self.columns)])
            _erase(cursor, self.kind, [row_id for (row_id,) in cursor.fetchall()], system_actor())

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """What is erased stays so."""


_TOLD_OF = """
SELECT DISTINCT row_id FROM core_change WHERE kind = %s AND (before ?| %s OR after ?| %s)
"""

# --- Reading ------------------------------------------------------------------------------------


def changes_visible_to(actor: Actor) -> QuerySet[Change]:
    """The history, newest first. Raises NotAllowed."""
    require(actor, READ_AUDIT)
    return Change.objects.order_by("-sequence")


def about(changes: QuerySet[Change], row_id: UUID) -> QuerySet[Change]:
    """What became of one row. Nothing did before it had its id."""
    changes = changes.filter(row_id=row_id)
    made = made_at(row_id)
    return changes if made is None else changes.filter(changed_at__gte=made - CLOCKS_DIFFER_BY)


def hidden_columns(kind: str, actor: Actor) -> frozenset[str]:
    """The columns of a kind of row that an actor's role does not show in any door."""
    audited_table = _audited[kind]
    rights = dict(audited_table.rights)
    for listing in listings().values():
        if listing.model is audited_table.model:
            rights |= {one.source or one.name: one.right for one in listing.fields if one.right}
    return frozenset(column for column, right in rights.items() if not actor.may(right))


Fields = dict[str, tuple[Any, Any]]


def fields_of_each(changes: Sequence[Change], actor: Actor) -> list[Fields]:
    """What was before and after each change, by column, as far as the actor may see it.

    Encrypted columns are shown in clear as long as the key of their person is there.
    """
    ciphers = _ciphers_of(changes)
    for kind in {one.kind for one in changes}:
        rows = {one.row_id for one in changes if one.kind == kind}
        note_access(actor, kind, rows, Reading.HISTORY)
    return [_fields_of(one, ciphers.get(one.row_id), actor) for one in changes]


def _fields_of(change: Change, cipher: Cipher | None, actor: Actor) -> Fields:
    before, after = change.before or {}, change.after or {}
    encrypted = {one.column: one for one in encrypted_columns(_audited[change.kind].model)}

    def shown(name: str, value: Any) -> Any:
        if name not in encrypted or value is None:
            return value
        # This is how PostgreSQL writes bytes.
        kept = bytes.fromhex(value.removeprefix("\\x"))
        return encrypted[name].decrypted(kept, cipher, change.row_id)

    return {
        name: (shown(name, before.get(name)), shown(name, after.get(name)))
        for name in (before.keys() | after.keys()) - hidden_columns(change.kind, actor)
    }


def _ciphers_of(changes: Sequence[Change]) -> dict[UUID, Cipher | None]:
    """What opens the encrypted columns of the rows that changed."""
    found: dict[UUID, Cipher | None] = {}
    for kind in {one.kind for one in changes}:
        model: Any = _audited[kind].model
        if key_column(model) is not None:
            ids = {one.row_id for one in changes if one.kind == kind}
            rows = model._base_manager.filter(pk__in=ids).select_related("data_key")
            found |= {row.pk: row.data_key.cipher for row in rows.only("data_key__wrapped")}
    return found


# --- Erasing ------------------------------------------------------------------------------------

# The guard of the table lets nothing else through.
_ERASE = """
UPDATE {table} AS t SET digest = core_digest_of_values(ROW(t.*)::core_change),
       before = NULL, after = NULL, salt = NULL, erased_at = now()
WHERE row_id = ANY(%s) AND kind = %s AND erased_at IS NULL AND action <> 'erased'
RETURNING row_id
"""
_NOTE_ERASURE = """
INSERT INTO core_change (kind, row_id, action, actor_id, door, request_id, transaction_number)
SELECT %s, erased.row_id, 'erased', %s, %s, %s, pg_current_xact_id()::text::bigint
FROM unnest(%s::uuid[]) AS erased(row_id)
"""


@command
def erase_history_of(*, kind: str, row_ids: Collection[UUID], actor: Actor) -> int:
    """Take what people left in the history of some rows; that there was something stays provable.

    Reaches the months that were detached, as long as they stand beside the table. Returns how many
    entries were erased. Raises NotAllowed.
    """
    require(actor, ERASE_PERSON)
    with connection.cursor() as cursor:
        return _erase(cursor, kind, row_ids, actor)


def _erase(cursor: Any, kind: str, row_ids: Collection[UUID], actor: Actor) -> int:
    erased: list[UUID] = []
    apart = [CHANGES.partition(month) for month in detached_months_of(CHANGES)]
    for table in (CHANGES.table, *apart):
        cursor.execute(_ERASE.format(table=table), [list(row_ids), kind])
        erased += [row_id for (row_id,) in cursor.fetchall()]
    cursor.execute(
        _NOTE_ERASURE,
        [kind, actor.id, actor.door, actor.request_id, sorted(set(erased))],
    )
    return len(erased)
