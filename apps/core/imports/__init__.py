"""Files of rows: preview, dry run, apply in the background, report and undo, for every app.

An app declares how its rows are found, written and put back (`ImportKind`); everything else is the
same for all of them. Every row of a file ends in exactly one of created, updated, skipped and
failed. A file is worked off in batches, each one transaction, so a worker that is killed loses
nothing and repeats nothing.
"""
