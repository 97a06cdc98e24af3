"""A file of answers: row by row, history by default; the same file twice changes nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select

from connector.deciding import decide_in
from connector.domain import Note
from connector.errors import Refused, Unreadable
from connector.ports import FileRow, Importable, SourceSettings
from connector.store import arrivals, outbox
from connector.store.tables import actions
from connector.understanding import off_scale

if TYPE_CHECKING:
    from connector.workspace import Workspace

_BATCH = 200
Progress = Callable[[int], None]


class RefusedRow(NamedTuple):
    line: int
    reason: str


@dataclass
class Imported:
    """What became of a file: counts by outcome, and every refused row with its line."""

    rows: int = 0
    new: int = 0
    repeated: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    refused: list[RefusedRow] = field(default_factory=list)


def read_rows(workspace: Workspace, source: str, data: bytes) -> list[FileRow]:
    """All rows of the file, each tried: a row that cannot be read becomes a problem with its line.

    Raises:
        Refused: the source takes no files, or the file as a whole cannot be read.
    """
    adapter = workspace.sources[source]
    if not isinstance(adapter, Importable):
        raise Refused(f"source '{source}' takes no files; import into a source of type csv")
    return [_tried(workspace, source, row) for row in adapter.rows(data)]


def _tried(workspace: Workspace, source: str, row: FileRow) -> FileRow:
    if row.record is None:
        return row
    try:
        content = workspace.sources[source].parse(Note(door="file", body=row.record))
    except Unreadable as error:
        return FileRow(line=row.line, problem=str(error))
    if content is None:
        return row
    settings: SourceSettings = workspace.settings.sources[source]
    survey = settings.survey_for(content.survey_ref)
    if survey is None:
        return FileRow(line=row.line, problem=f"survey '{content.survey_ref}' is unknown")
    wrong = off_scale(workspace.settings.surveys[survey], content.score)
    return FileRow(line=row.line, problem=wrong) if wrong else row


def import_rows(
    workspace: Workspace,
    source: str,
    rows: Sequence[FileRow],
    now: datetime,
    act: bool,
    progress: Progress,
) -> Imported:
    """Store and decide the rows; with `act` they are news, else history that makes no action."""
    done = Imported(rows=len(rows))
    done.refused = [RefusedRow(row.line, row.problem) for row in rows if row.record is None]
    for batch in _batches(rows):
        records = [row.record for row in batch if row.record is not None]
        keep = functools.partial(
            arrivals.store_records, source=source, door="file", bodies=records, now=now, act=act
        )
        stored = workspace.store.write(keep)
        done.new, done.repeated = done.new + stored.new, done.repeated + stored.repeated
        decided = workspace.store.write(lambda c: _decide_all(c, workspace, source, now))
        for change, count in decided.items():
            done.changes[change] = done.changes.get(change, 0) + count
        progress(len(batch))
    return done


class _Preview(Exception):
    def __init__(self, counts: dict[tuple[str, str], int]) -> None:
        super().__init__()
        self.counts = counts


def preview_actions(
    workspace: Workspace, source: str, rows: Sequence[FileRow], now: datetime
) -> dict[tuple[str, str], int]:
    """(sink, kind) -> actions that `--act` would make: everything is done, counted and undone."""

    def work(connection: Connection) -> None:
        before = connection.scalar(select(actions.c.id).order_by(actions.c.id.desc()).limit(1)) or 0
        records = [row.record for row in rows if row.record is not None]
        arrivals.store_records(connection, source, "file", records, now, act=True)
        _decide_all(connection, workspace, source, now)
        raise _Preview(outbox.made_since(connection, before, source))

    try:
        workspace.store.write(work)
    except _Preview as preview:
        return preview.counts
    return {}


def _decide_all(
    connection: Connection, workspace: Workspace, source: str, now: datetime
) -> dict[str, int]:
    """Of this source only: what others have waiting is for the engine, which wakes its sinks."""
    changes: dict[str, int] = {}
    while True:
        decided = decide_in(connection, workspace, now, _BATCH, source)
        if not decided.records:
            return changes
        for change, count in decided.changes.items():
            changes[change] = changes.get(change, 0) + count


def _batches(rows: Sequence[FileRow]) -> Iterator[list[FileRow]]:
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        yield batch
