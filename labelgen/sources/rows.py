"""The rows of a table → samples: keys, captions, and pictures that lie in files of their own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from labelgen.sources import pictures
from labelgen.sources.fields import Columns, Fields
from labelgen.sources.identity import identity_and_size
from labelgen.sources.record import captions_in, text_of
from labelgen.sources.sample import Image, InputShard, Problem, Sample, SourceError
from labelgen.sources.uris import folder_of

ROWS_PER_SHARD = 10_000  # an image's file number is a uint16, so a shard must stay below 65,536 rows
NO_COLUMN: Final = object()


def part_name(number: int, count: int) -> str:
    """Name of shard `number` of the `count` that one file makes."""
    return "{stem}" if count == 1 else f"{{stem}}-{number:05d}"


def plan_row_ranges(uri: str, format_name: str, count_rows: Callable[[str], int]) -> list[InputShard]:
    """Shards of 10,000 rows, of a file that can be entered at any row.

    A file whose rows cannot be counted (SourceError) is one shard: reading it meets the error again, and says it.
    """
    identity, size = identity_and_size(uri)
    try:
        num_rows = count_rows(uri) if identity else 0
    except SourceError:
        num_rows = 0
    firsts = range(0, num_rows, ROWS_PER_SHARD) or [0]  # of none, one shard all the same: reading it says why
    return [
        InputShard(
            name=part_name(number, len(firsts)),
            uri=uri,
            format=format_name,
            identity=identity,
            size=size // len(firsts),
            first_row=first,
            num_rows=min(ROWS_PER_SHARD, num_rows - first),
        )
        for number, first in enumerate(firsts)
    ]


class Cells(NamedTuple):
    """What one row says. A cell is text, UTF-8 bytes, None, a list of those (captions), or a number (key)."""

    captions: Iterable[object]
    key: object = NO_COLUMN
    image: object = NO_COLUMN


class Places:
    """Where the columns that matter stand in a row."""

    def __init__(self, names: Sequence[str], columns: Columns) -> None:
        self._captions = [names.index(name) for name in columns.captions]
        self._key = None if columns.key is None else names.index(columns.key)
        self._image = None if columns.image is None else names.index(columns.image)

    def pick(self, row: Sequence[object]) -> Cells:
        """The cells that matter."""
        return Cells(
            [row[place] for place in self._captions],
            NO_COLUMN if self._key is None else row[self._key],
            NO_COLUMN if self._image is None else row[self._image],
        )


class Rows:
    """Makes one shard's samples, one call a row, in order. A row without a key has its number, nine digits."""

    def __init__(self, shard: InputShard, fields: Fields) -> None:
        self._next_row = shard.first_row
        self._image_root = fields.image_root or folder_of(shard.uri)
        self._seen: set[str] = set()

    def sample(self, cells: Cells) -> Sample:
        """The next row's sample."""
        problems: list[Problem] = []
        key = self._number()
        if cells.key is not NO_COLUMN:
            given = str(cells.key) if isinstance(cells.key, int) else text_of(cells.key)
            key = given or key
            if not given:
                problems.append(Problem.MISSING_KEY)
            if key in self._seen:
                problems.append(Problem.DUPLICATE_KEY)
            self._seen.add(key)
        captions = captions_in(cells.captions, problems)
        image: Image | None = None
        if cells.image is not NO_COLUMN:
            image = pictures.find(text_of(cells.image), self._image_root, problems)
        return Sample(key, captions, image, tuple(problems))

    def broken(self, problem: Problem) -> Sample:
        """The next row's sample, of which nothing can be told."""
        return Sample(self._number(), (), problems=(problem,))

    def _number(self) -> str:
        self._next_row += 1
        return f"{self._next_row - 1:09d}"
