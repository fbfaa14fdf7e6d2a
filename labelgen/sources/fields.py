"""What a person may choose about sources, and how the columns of a table are found."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from labelgen.sources.sample import SourceError

# Names that tables on the web use, taken where no column is chosen; the first that a table has counts, alone.
CAPTION_NAMES = ("captions", "caption", "text", "TEXT", "alt_text", "title")
IMAGE_NAMES = ("image_path", "filepath", "file_name", "image")
KEY_NAMES = ("key",)
_MANY_NAMES, _LONG_NAME = 30, 60
_OPTIONS = {"format": "--input-format", "caption_keys": "--caption-key"}


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """Where in its sources a build finds things; part of its settings. What is not chosen is found by usual names.

    format: a name of FORMATS, instead of recognising it. caption_keys: columns or JSON fields; a sample has the
    captions of all of them. image_root: what relative image paths start from, instead of the table's own folder.
    captions_from: `parquet:COLUMN`, the Parquet beside each tar.
    """

    format: str | None = None
    caption_keys: tuple[str, ...] = ()
    key_column: str | None = None
    image_column: str | None = None
    image_root: str | None = None
    captions_from: str | None = None

    def chosen(self) -> list[str]:
        """Names of the fields that are set, apart from the format."""
        return [name for name in self.__struct_fields__ if name != "format" and getattr(self, name)]


def option_of(field: str) -> str:
    """What a person gives to set a field, or another setting of a build: `caption_keys` → `--caption-key`."""
    return _OPTIONS.get(field) or f"--{field.replace('_', '-')}"


class Columns(NamedTuple):
    """The columns of one table that matter."""

    captions: tuple[str, ...]
    key: str | None
    image: str | None


def choose_columns(names: Sequence[str], fields: Fields, uri: str) -> Columns:
    """The chosen columns, or the usual ones, of a table that has the columns `names`.

    Raises SourceError, which lists `names`, if one is missing or stands there twice.
    """
    columns = Columns(
        captions=fields.caption_keys or _first(CAPTION_NAMES, names),
        key=fields.key_column or next(iter(_first(KEY_NAMES, names)), None),
        image=fields.image_column or next(iter(_first(IMAGE_NAMES, names)), None),
    )
    listed = listing(names)
    if not columns.captions:
        raise SourceError(
            f"{uri} has no column with a usual name for captions ({', '.join(CAPTION_NAMES)}). It has {listed}. "
            "Name one with --caption-key."
        )
    for name in (*columns.captions, columns.key, columns.image):
        if name is not None and names.count(name) != 1:
            how = "the column {!r} more than once" if name in names else "no column {!r}"
            raise SourceError(f"{uri} has {how.format(name)}. It has {listed}.")
    if fields.image_root and columns.image is None:
        raise SourceError(f"{uri} has no column with a usual name for image paths. Name one with --image-column.")
    return columns


def listing(names: Sequence[str]) -> str:
    """Column names for an error message, not too many."""
    shown = [repr(name if len(name) <= _LONG_NAME else f"{name[:_LONG_NAME]}…") for name in names[:_MANY_NAMES]]
    return ", ".join(shown) + (", …" if len(names) > _MANY_NAMES else "") or "none"


def _first(usual: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in usual if name in names)[:1]
