"""Tables that only ever grow, kept by month: what is old stays out of the way of what is new.

A model whose rows are written once says which moment decides about their month:

    @by_month("occurred_at", unique=("event_id",))
    class BusinessEvent(models.Model): ...

Its migration splits the table with `SplitByMonth`, whether it holds rows or not; from then on the
clock makes the months to come. A row whose month is missing goes into the default partition, so
that no write ever fails, and moves into its month when that is made.

PostgreSQL wants the moment in every key of such a table. So its primary key is the model's with the
moment added, and the `unique` columns are unique within each month.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.db.migrations.operations.base import Operation

from apps.core.errors import NotFound, RuleBroken

MONTHS_AHEAD = 3
# Whoever waits for a lock has everybody else wait behind it.
_PATIENCE = "SET LOCAL lock_timeout = '5s'"
_ALL = (
    "INCLUDING COMMENTS INCLUDING COMPRESSION INCLUDING CONSTRAINTS INCLUDING DEFAULTS"
    " INCLUDING GENERATED INCLUDING STORAGE"
)

ModelClass = TypeVar("ModelClass", bound=type[models.Model])


@dataclass(frozen=True)
class ByMonth:
    """A table that is kept by the month of a column, in UTC."""

    table: str
    column: str
    unique: tuple[str, ...] = ()

    @property
    def default(self) -> str:
        """The partition of rows whose month is missing."""
        return f"{self.table}_default"

    def partition(self, month: date) -> str:
        """The partition of the month that begins on a day."""
        return f"{self.table}_{month:%Y_%m}"


_kept: dict[str, ByMonth] = {}


def by_month(column: str, *, unique: Iterable[str] = ()) -> Callable[[ModelClass], ModelClass]:
    """Declare that a model's table is kept by the month of a column that never changes."""

    def register(model: ModelClass) -> ModelClass:
        table = model._meta.db_table
        _kept[table] = ByMonth(table, column, tuple(unique))
        return model

    return register


def kept_by_month() -> tuple[ByMonth, ...]:
    """Every table that is kept by month."""
    return tuple(_kept.values())


def kept_by(model: type[models.Model]) -> ByMonth:
    """How a model's table is kept by month."""
    return _kept[model._meta.db_table]


def month_of(day: date, *, later: int = 0) -> date:
    """The day on which the month of a day begins, or the one so many months later."""
    year, month = divmod(day.year * 12 + day.month - 1 + later, 12)
    return date(year, month + 1, 1)


def bounds_of(month: date) -> tuple[datetime, datetime]:
    """The moments at which a month begins and ends; the second is the next one's."""
    following = month_of(month, later=1)
    return (
        datetime(month.year, month.month, 1, tzinfo=UTC),
        datetime(following.year, following.month, 1, tzinfo=UTC),
    )


def prepare_months() -> list[str]:
    """Make this month and those ahead for every table; returns the partitions that were missing."""
    return [
        kept.partition(month)
        for kept in kept_by_month()
        for month in _this_and_ahead()
        if make_month(kept, month)
    ]


@transaction.atomic
def make_month(kept: ByMonth, month: date) -> bool:
    """Give a month its partition, with the rows that waited for it; False where there is one."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_PATIENCE}; LOCK TABLE {kept.table} IN SHARE UPDATE EXCLUSIVE MODE")
        if month in months_of(kept):
            return False
        name, columns = kept.partition(month), _columns(cursor, kept.table)
        first, end = bounds_of(month)
        cursor.execute(f"LOCK TABLE {kept.default} IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET LOCAL salesplatform.makes_month = 'yes'")
        cursor.execute(f"CREATE TABLE {name} (LIKE {kept.table} {_ALL})")
        cursor.execute(
            f"WITH waiting AS (DELETE FROM {kept.default} WHERE {kept.column} >= '{first}'"
            f" AND {kept.column} < '{end}' RETURNING {columns})"
            f" INSERT INTO {name} ({columns}) SELECT {columns} FROM waiting"
        )
        _attach(cursor, kept, month)
        _add_unique(cursor, kept, name)
        cursor.execute("SET LOCAL salesplatform.makes_month = ''")
    return True


def months_of(kept: ByMonth) -> list[date]:
    """The months that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = %s::regclass AND relname <> %s ORDER BY relname",
            [kept.table, kept.default],
        )
        return [_month_in(name) for (name,) in cursor.fetchall()]


@transaction.atomic
def detach_month(kept: ByMonth, month: date) -> str:
    """Take a month out of its table; returns the table in which its rows stay as they are.

    What guards the rows goes on guarding them.
    """
    name = kept.partition(month)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY tgname",
            [name],
        )
        guards = [guard for (guard,) in cursor.fetchall()]
        cursor.execute(f"{_PATIENCE}; ALTER TABLE {kept.table} DETACH PARTITION {name}")
        for guard in guards:
            cursor.execute(guard)
    return name


def check_over(kept: ByMonth, month: date) -> None:
    """Whether a month is there and nothing is added to it any more. Raises NotFound, RuleBroken."""
    if month not in months_of(kept):
        raise NotFound(f"{kept.table} has no month {month:%Y-%m}.", reason="month_not_found")
    if month_of(month, later=1) > datetime.now(UTC).date():
        raise RuleBroken("The month is not over.", reason="month_not_over")


def detached_months_of(kept: ByMonth) -> list[date]:
    """The months that were taken out of a table and still stand beside it, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
            " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = %s::regclass)"
            " AND relname ~ %s ORDER BY relname",
            [kept.table, rf"^{kept.table}_\d{{4}}_\d{{2}}$"],
        )
        return [_month_in(name) for (name,) in cursor.fetchall()]


def _month_in(partition: str) -> date:
    return date(int(partition[-7:-3]), int(partition[-2:]), 1)


def troubles() -> list[str]:
    """What the clock left undone: months that are missing, and rows that wait for theirs."""
    found = []
    following = month_of(datetime.now(UTC).date(), later=1)
    for kept in kept_by_month():
        if following not in months_of(kept):
            found.append(f"{kept.partition(following)} is missing")
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {kept.default})")
            if cursor.fetchone()[0]:
                found.append(f"{kept.default} holds rows")
    return found


class SplitByMonth(Operation):
    """Keep a model's table by month from here on, with the rows it has.

    Everybody waits while the rows move. Columns, defaults, checks, plain indexes and foreign keys
    to other tables stay; foreign keys to this one have to go first.
    """

    reversible = False

    def __init__(self, model_name: str, column: str, *, unique: Iterable[str] = ()) -> None:
        self.model_name, self.column, self.unique = model_name, column, tuple(unique)

    def describe(self) -> str:
        """What a plan of migrations shows."""
        return f"Keep {self.model_name} by the month of {self.column}"

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The model stays as it is."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Move the rows into months."""
        options = to_state.apps.get_model(app_label, self.model_name)._meta
        kept = ByMonth(options.db_table, self.column, self.unique)
        with schema_editor.connection.cursor() as cursor:
            _split(cursor, kept, options.pk.column)


def _split(cursor: Any, kept: ByMonth, key: str) -> None:
    table, whole = kept.table, f"{kept.table}_whole"
    cursor.execute(f"{_PATIENCE}; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    columns, definitions = _columns(cursor, table), _definitions(cursor, table)
    cursor.execute(f"ALTER TABLE {table} RENAME TO {whole}")
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {whole} {_ALL} INCLUDING IDENTITY)"
        f" PARTITION BY RANGE ({kept.column})"
    )
    cursor.execute(
        f"SELECT DISTINCT date_trunc('month', {kept.column} AT TIME ZONE 'UTC')::date FROM {whole}"
    )
    months = sorted({*_this_and_ahead(), *(month for (month,) in cursor.fetchall())})
    for month in months:
        cursor.execute(f"CREATE TABLE {kept.partition(month)} (LIKE {whole} {_ALL})")
        _attach(cursor, kept, month)
    cursor.execute(f"CREATE TABLE {kept.default} PARTITION OF {table} DEFAULT")
    cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {whole}")
    _go_on_counting(cursor, whole, table)
    cursor.execute(f"DROP TABLE {whole}")
    cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key}, {kept.column})")
    for name in (*map(kept.partition, months), kept.default):
        _add_unique(cursor, kept, name)
    for definition in definitions:
        cursor.execute(definition)


def _attach(cursor: Any, kept: ByMonth, month: date) -> None:
    first, end = bounds_of(month)
    name = kept.partition(month)
    cursor.execute(
        f"ALTER TABLE {kept.table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')"
    )


def _add_unique(cursor: Any, kept: ByMonth, partition: str) -> None:
    for column in kept.unique:
        cursor.execute(f"CREATE UNIQUE INDEX ON {partition} ({column})")


def _this_and_ahead() -> list[date]:
    today = datetime.now(UTC).date()
    return [month_of(today, later=ahead) for ahead in range(MONTHS_AHEAD + 1)]


def _columns(cursor: Any, table: str) -> str:
    """The columns that are written, as SQL lists them."""
    cursor.execute(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [table],
    )
    found: str = cursor.fetchone()[0]
    return found


def _definitions(cursor: Any, table: str) -> list[str]:
    """The statements that make the plain indexes and the foreign keys of a table anew."""
    cursor.execute(
        """SELECT pg_get_indexdef(indexrelid) FROM pg_index
           WHERE indrelid = %(table)s::regclass AND NOT indisunique
           UNION ALL
           SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s',
                         conrelid::regclass, conname, pg_get_constraintdef(oid))
           FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'f'""",
        {"table": table},
    )
    return [definition for (definition,) in cursor.fetchall()]


def _go_on_counting(cursor: Any, old: str, new: str) -> None:
    """Let the identity of a table go on where that of another one stands."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''",
        [old],
    )
    for (column,) in cursor.fetchall():
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [old, column])
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), last_value, is_called)"
            f" FROM {cursor.fetchone()[0]}",
            [new, column],
        )
