"""Captions from a Parquet beside a tar (`00000.tar`, `00000.parquet`), joined by key."""

from collections import defaultdict
from collections.abc import Iterator

from labelgen.sources import parquet
from labelgen.sources.fields import KEY_NAMES, Fields, listing
from labelgen.sources.record import captions_in
from labelgen.sources.sample import Leftover, Problem, SourceDamageError, SourceError
from labelgen.sources.uris import with_suffix


def side_of(tar: str) -> str:
    """Where the Parquet of a tar lies."""
    return with_suffix(tar, ".tar", ".parquet")


def column_of(fields: Fields) -> str:
    """The column of captions that `captions_from` names. Raises SourceError."""
    kind, _, column = (fields.captions_from or "").partition(":")
    if kind != "parquet" or not column:
        raise SourceError(f"--captions-from is {fields.captions_from!r}, and must read parquet:COLUMN.")
    return column


class SideCaptions:
    """The captions of one tar. A key that stands twice has the captions of both rows, and is counted."""

    def __init__(self, uri: str, rows: dict[str, list[object]]) -> None:
        self._uri = uri
        self._rows = rows
        self._taken: set[str] = set()

    @classmethod
    def read(cls, tar: str, fields: Fields) -> "SideCaptions":
        """The Parquet beside `tar`. Raises SourceError if it, or a column, is not there."""
        column = column_of(fields)
        key = fields.key_column or KEY_NAMES[0]
        uri = side_of(tar)
        rows = defaultdict(list)
        with parquet.opened(uri) as file:
            names = file.schema_arrow.names
            for name in (key, column):
                if names.count(name) != 1:
                    raise SourceError(f"{uri} has no column {name!r} to take captions by. It has {listing(names)}.")
            try:
                for key_cell, captions in parquet.read_rows(file, [key, column], uri, 0, file.metadata.num_rows):
                    name = key_cell.decode(errors="replace") if isinstance(key_cell, bytes) else str(key_cell)
                    rows[name].append(captions)
            except SourceDamageError as error:  # a row behind the break may be any sample's
                raise SourceError(str(error)) from error
        return cls(uri, dict(rows))

    def take(self, key: str, problems: list[Problem]) -> tuple[str, ...]:
        """The captions of a sample, and in `problems` what is wrong with them."""
        rows = self._rows.get(key, [])
        if len(rows) > 1:
            problems.append(Problem.DUPLICATE_SIDE_KEY)
        self._taken.add(key)
        return captions_in(rows, problems)

    def leftovers(self) -> Iterator[Leftover]:
        """What no sample took. Raises SourceError if no sample took anything."""
        alone = [rows for key, rows in self._rows.items() if key not in self._taken]
        if self._taken and len(alone) == len(self._rows):
            raise SourceError(f"{self._uri} has none of the tar's keys, the first of which is {min(self._taken)!r}.")
        if alone:
            yield Leftover(Problem.CAPTION_OF_NO_MEMBER, sum(map(len, alone)))
