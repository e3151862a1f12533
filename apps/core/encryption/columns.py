"""Encrypted columns: clear on the row in Python, ciphertext in PostgreSQL and its history.

A row opens its columns with its `data_key`, a foreign key or a property that answers with the key
of whatever it belongs to. What was read is decrypted when somebody asks for it; what was not
changed is written back as it was, so that the change history tells of real changes only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from apps.core.encryption.ring import Cipher
from apps.core.errors import Conflict

_NOTHING = b"{}"
_ONE_FORM = orjson.OPT_SORT_KEYS


class PersonErased(Conflict):
    """Nothing can be written any more of somebody whose key was destroyed."""

    reason = "person_erased"
    message = "The person was erased from this record; make a new one."


class ClearText(DeferredAttribute):
    """The attribute of an encrypted column."""

    def __get__(self, row: Any, owner: Any = None) -> Any:
        value = super().__get__(row, owner)
        if not isinstance(value, bytes):
            return value
        field: Any = self.field
        clear = field.decrypted(value, row.data_key.cipher, field.bound_row(row))
        row.__dict__[field.attname] = clear
        row.__dict__[field.kept_as] = (value, field.encoded(clear))
        return clear

    def __set__(self, row: Any, value: Any) -> None:
        row.__dict__[self.field.attname] = value


class EncryptedColumn(models.Field):
    """What every encrypted column does. `bound_to` names the attribute that tells rows apart."""

    descriptor_class = ClearText

    def __init__(self, *args: Any, bound_to: str = "pk", **options: Any) -> None:
        self.bound_to = bound_to
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        """What migrations write down."""
        name, path, args, options = super().deconstruct()
        if self.bound_to != "pk":
            options["bound_to"] = self.bound_to
        return name, path, args, options

    def get_internal_type(self) -> str:
        """Bytes."""
        return "BinaryField"

    def contribute_to_class(self, cls: Any, name: str, private_only: bool = False) -> None:
        """Give the class an attribute of its own, also where it inherits the column."""
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, self.descriptor_class(self))

    @property
    def kept_as(self) -> str:
        """Where a row remembers the ciphertext that it was read with."""
        return f"_{self.attname}_kept"

    def place(self, row: object) -> str:
        """What the ciphertext of a row is bound to."""
        return f"{self.model._meta.db_table}.{self.column}:{row}"

    def bound_row(self, row: models.Model) -> object:
        """What tells a row from the others under its key."""
        return getattr(row, self.bound_to)

    def encoded(self, clear: Any) -> bytes:
        """A value as bytes; nothing for an empty one, which needs no secrecy."""
        raise NotImplementedError

    def decoded(self, encoded: bytes) -> Any:
        """The value of such bytes."""
        raise NotImplementedError

    def encrypted(self, clear: Any, cipher: Cipher | None, row: object) -> bytes:
        """A value as the column holds it. Raises PersonErased once the key is destroyed."""
        encoded = self.encoded(clear)
        if encoded and cipher is None:
            raise PersonErased
        return cipher.encrypt(encoded, self.place(row)) if encoded and cipher else b""

    def opened(self, kept: bytes, cipher: Cipher | None, row: object) -> bytes:
        """The bytes of what the column holds; none any more once the key is destroyed."""
        return cipher.decrypt(kept, self.place(row)) if kept and cipher is not None else b""

    def shown(self, kept: bytes | None, cipher: Cipher | None, row: object) -> Any:
        """What lists show: text, and JSON as text too."""
        return None if kept is None else self.opened(kept, cipher, row).decode()

    def decrypted(self, kept: bytes, cipher: Cipher | None, row: object) -> Any:
        """What the column holds."""
        return self.decoded(self.opened(kept, cipher, row))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The ciphertext: the one that was read, unless the value is another by now."""
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, bytes):
            return value
        kept, before = model_instance.__dict__.get(self.kept_as, (b"", None))
        if before is not None and before == self.encoded(value):
            return kept
        row: Any = model_instance
        return self.encrypted(value, row.data_key.cipher, self.bound_row(row))

    def get_prep_value(self, value: Any) -> Any:
        """Ciphertext only: an update of many rows at once knows no row to encrypt for."""
        if value is not None and not isinstance(value, bytes):
            raise TypeError(f"{self} is encrypted row by row; save the rows.")
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """The same."""
        return self.get_prep_value(value)

    def from_db_value(self, value: Any, *_: Any) -> bytes | None:
        """Ciphertext, until somebody asks for what it says."""
        return None if value is None else bytes(value)

    def get_lookup(self, lookup_name: str) -> Any:
        """Whether there is a value; nothing can be searched that nobody can read."""
        if lookup_name != "isnull":
            raise FieldError(f"{self} is encrypted: look it up by its blind index.")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        """None."""
        raise FieldError(f"{self} is encrypted: {lookup_name} can't be looked at.")


class EncryptedText(EncryptedColumn, models.CharField):
    """Text that is encrypted at rest. `max_length` is in characters of the clear text."""

    def encoded(self, clear: Any) -> bytes:
        """UTF-8."""
        return str(clear).encode()

    def decoded(self, encoded: bytes) -> str:
        """From UTF-8."""
        return encoded.decode()


class EncryptedJSON(EncryptedColumn, models.JSONField):
    """JSON that is encrypted at rest."""

    def encoded(self, clear: Any) -> bytes:
        """Compact JSON, in one form whatever the order of its keys."""
        return b"" if clear == {} else orjson.dumps(clear, default=str, option=_ONE_FORM)

    def decoded(self, encoded: bytes) -> Any:
        """From JSON; nothing is an empty object."""
        return orjson.loads(encoded or _NOTHING)

    def opened(self, kept: bytes, cipher: Cipher | None, row: object) -> bytes:
        """JSON, whatever is left of it."""
        return super().opened(kept, cipher, row) or _NOTHING


@cache
def encrypted_columns(model: type[models.Model]) -> tuple[EncryptedColumn, ...]:
    """The encrypted columns of a model."""
    return tuple(one for one in model._meta.concrete_fields if isinstance(one, EncryptedColumn))


@cache
def key_column(model: type[models.Model]) -> Any:
    """The foreign key by which rows of a model have a data key of their own; None without one."""
    return next((one for one in model._meta.concrete_fields if one.name == "data_key"), None)
