"""What an app says about its rows, so that files of them can be imported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from apps.core.actors import Actor
from apps.core.errors import Refusal
from apps.core.imports.mapping import Targets

Facts = dict[str, Any]
# What rows are recognised by: the kind of key, such as `email`, and its value.
Key = tuple[str, Hashable]


class ImportKind(ABC):
    """One kind of row that files are imported of. Records are rows of the app's own model.

    A record has `pk`, `version`, `owner_id` and `territory_id`. Methods that write do so in the
    caller's transaction and tell what happened.

    Attributes:
        name: the rows' noun in the plural.
        permission: to import and to undo.
        files: the app's concrete model of `ImportedFile`.
        rows: the app's concrete model of `ImportedRow`.
        targets: the facts that a file can fill.
        needed: the facts without which there can be no new record.
    """

    name: ClassVar[str]
    permission: ClassVar[str]
    files: ClassVar[Any]
    rows: ClassVar[Any]
    targets: ClassVar[Targets]
    needed: ClassVar[tuple[str, ...]]

    @property
    def job_kind(self) -> str:
        """The kind of the jobs that take in a file."""
        return f"{self.name}.import"

    @property
    def undo_job_kind(self) -> str:
        """The kind of the jobs that take one back."""
        return f"{self.name}.undo_import"

    def target_of(self, match_on: str) -> str:
        """The fact that must be filled to match rows on something."""
        return match_on

    @abstractmethod
    def check(self, given: Mapping[str, Any]) -> Facts:
        """Facts in one form, with the keys derived from them. Raises InvalidInput."""

    @abstractmethod
    def keys(self, facts: Facts, *, match_on: str) -> list[Key]:
        """What a row is recognised by. Besides `match_on` only what no two records may share."""

    @abstractmethod
    def existing(self, keys: Collection[Key]) -> Mapping[Key, Sequence[Any]]:
        """The records with these keys, anywhere, locked."""

    @abstractmethod
    def duplicate(self, record: Any, *, is_visible: bool) -> Refusal:
        """The refusal of a row that would double a record; it names only a visible one."""

    @abstractmethod
    def write_new(self, new: Sequence[Facts], *, actor: Actor) -> Sequence[Any]:
        """Write new records; for each the record, or the refusal of this one alone."""

    @abstractmethod
    def put(self, record: Any, facts: Facts) -> Sequence[str]:
        """Put facts on a record as its next version; the names of those that differ."""

    @abstractmethod
    def write_changed(self, changed: Sequence[tuple[Any, Sequence[str]]], *, actor: Actor) -> None:
        """Write records on which facts were put, each with their names."""

    @abstractmethod
    def values_of(self, record: Any) -> dict[str, Any]:
        """A record's facts as JSON keeps them."""

    @abstractmethod
    def locked(self, ids: Collection[UUID]) -> Sequence[Any]:
        """The records with these ids that an import can be undone on, locked."""

    def not_undoable(
        self, records: Sequence[Any], created: Collection[UUID]
    ) -> Mapping[UUID, Refusal]:
        """Why some of these records are left alone by undo; `created` would go to the bin."""
        return {}

    @abstractmethod
    def put_in_bin(self, record: Any, *, actor: Actor) -> None:
        """Put a record that an import created into the bin."""

    @abstractmethod
    def put_back(self, record: Any, values: Mapping[str, Any], *, actor: Actor) -> None:
        """Give a record back the facts that `values_of` kept."""
