"""What every source format yields: samples, and the reasons why something about one is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from labelshards.errors import CatlipError
from labelshards.images import ImageFile


class Problem(StrEnum):
    """Why a sample is not as it should be. Counted and reported; the sample keeps its row."""

    MISSING_CAPTION = "missing caption"
    EMPTY_CAPTION = "empty caption"
    CAPTION_NOT_UTF8 = "caption not UTF-8"
    CAPTION_CUT = "caption cut (too long)"
    BROKEN_JSON = "broken JSON"
    BROKEN_ROW = "broken row (quotes)"
    RAGGED_ROW = "ragged row (too few or too many cells)"
    MISSING_IMAGE = "missing image"
    EMPTY_IMAGE = "empty image"
    HUGE_IMAGE = "image of 2 GiB or more"
    MISSING_KEY = "missing key"
    DUPLICATE_KEY = "duplicate key"
    DUPLICATE_SIDE_KEY = "key twice in the Parquet beside the tar"
    NO_NOUN = "no noun to label"
    # Of captions that belong to no sample, and therefore have no row.
    CAPTION_OF_NO_IMAGE = "caption of an unknown image"
    CAPTION_FILE_ALONE = "caption file without a picture"
    CAPTION_OF_NO_MEMBER = "row of the Parquet beside the tar without a sample"


class SourceError(CatlipError):
    """An input that cannot be read at all: it yields no label shard, and the build goes on without it."""


class SourceDamageError(CatlipError):
    """An input that breaks off: what was read before stays, and the manifest says so."""


class Image(NamedTuple):
    """Bytes `offset` … `offset + size` of a file: a member of a tar, or a picture of its own."""

    file: ImageFile
    offset: int
    size: int


class Sample(NamedTuple):
    """One image with its raw captions."""

    key: str
    captions: tuple[str, ...]
    image: Image | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Leftover:
    """`count` captions of a shard that belong to none of its samples."""

    problem: Problem
    count: int


Found: TypeAlias = Iterator[Sample | Leftover]


@dataclass(frozen=True, kw_only=True)
class InputShard:
    """One unit of work: a file, or a range of a big one.

    `name`: of its label shard; while planning, `{stem}` stands for the file's unique name. `identity` changes when
    the file does (size and modification time, or a remote store's tag). `size`: in bytes.
    `first_row`, `num_rows`, `offset` (with `size`): the range, for formats that cut files. `beside`: (URI, identity)
    of other files that decide what is read. `members`: paths below `uri`, where that is a folder.
    """

    name: str
    uri: str
    format: str
    identity: str
    size: int
    first_row: int = 0
    num_rows: int = 0
    offset: int = 0
    beside: tuple[tuple[str, str], ...] = ()
    members: tuple[str, ...] = ()

    def renamed(self, name: str) -> "InputShard":
        """The same shard under another name."""
        return replace(self, name=name)
