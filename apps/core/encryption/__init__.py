"""Personal data at rest: encrypted column by column under a data key of its person.

A data key is random, stands in `core_datakey` wrapped by a key of the installation's ring, and
opens only what was encrypted for one column of one row (AES-256-GCM, the place as additional data).
Who destroys it erases whatever was written under it: rows, their history, backups.
"""
