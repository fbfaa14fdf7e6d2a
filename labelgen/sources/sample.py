"""What every source format yields: samples, and the reasons why something about one is wrong."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from labelshards.errors import CatlipError
from labelshards.images import ImageFile, ImageRef


class Problem(StrEnum):
    """Why a sample is not as it should be. Counted and reported; the sample keeps its row."""

    MISSING_CAPTION = "missing caption"
    EMPTY_CAPTION = "empty caption"
    CAPTION_NOT_UTF8 = "caption not UTF-8"
    CAPTION_CUT = "caption cut (too long)"
    BROKEN_JSON = "broken JSON"
    MISSING_IMAGE = "missing image"
    EMPTY_IMAGE = "empty image"
    HUGE_IMAGE = "image of 2 GiB or more"
    DUPLICATE_KEY = "duplicate key"
    NO_NOUN = "no noun to label"


class SourceError(CatlipError):
    """An input that cannot be read at all: it yields no label shard, and the build goes on without it."""


class SourceDamageError(CatlipError):
    """An input that breaks off: what was read before stays, and the manifest says so."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its raw captions."""

    key: str
    captions: tuple[str, ...]
    image: ImageRef | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InputShard:
    """One unit of work: a file, or a row range of a big one.

    `name`: of its label shard; while planning, `{stem}` stands for the file's unique name. `identity` changes when
    the file does (size and modification time, or a remote store's tag). `size` weighs the progress, in bytes.
    `first_row`, `rows`, `offset`: the range, for formats that cut files.
    """

    name: str
    uri: str
    format: str
    identity: str
    size: int
    first_row: int = 0
    offset: int = 0
    image_files: tuple[ImageFile, ...] = field(default=())

    def renamed(self, name: str) -> "InputShard":
        """The same shard under another name."""
        return replace(self, name=name)
