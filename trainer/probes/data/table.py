"""A Parquet table with the bytes of a picture and its label (or a list of labels) in each row."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelshards import storage
from labelshards.errors import CatlipError, first_line
from trainer.probes.data.folder import identity
from trainer.probes.data.split import NO_LABEL, OUT_OF_RANGE, Split, number_classes

_LABEL_TYPES = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_null,
)
_LABELS = ("label", "labels", "cls", "class", "category", "fine_label", "coarse_label")


@dataclass(frozen=True, kw_only=True)
class TablePictures:
    """column: of bytes, or of structs with bytes. rows: int64 [N], places in the files one after the other."""

    files: tuple[Path, ...]
    column: str
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """Identity of the pictures: that of the files, and the rows."""
        files = "\n".join(f"{identity(file.resolve())} {self.column}" for file in self.files)
        return storage.digest(files.encode() + self.rows.tobytes())

    def read(self, number: int) -> bytes:
        """The bytes in one row; the row group around it is kept until another one is asked for."""
        row = int(self.rows[number])
        group = int(np.searchsorted(self._starts, row, side="right")) - 1  # of equals the last: others are empty
        file, within = self._groups[group]
        try:
            if self._held.get("group") != group:
                column = pq.ParquetFile(self.files[file]).read_row_group(within, columns=[self.column])[self.column]
                self._held.update(group=group, column=column)
            # IndexError: it has fewer rows than it says. ValueError: text beside the bytes that is not UTF-8.
            value = self._held["column"][row - int(self._starts[group])].as_py()
        except (pa.ArrowException, OSError, KeyError, IndexError, ValueError) as error:
            raise CatlipError(
                f"{self.files[file]}: row group {within} cannot be read ({first_line(error)})."
            ) from error
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise CatlipError(f"row {row:,} of column {self.column!r} holds no picture.")
        return data

    @cached_property
    def _groups(self) -> list[tuple[int, int]]:
        """(file, row group of that file) of each row group."""
        return [(f, g) for f, file in enumerate(self.files) for g in range(pq.read_metadata(file).num_row_groups)]

    @cached_property
    def _starts(self) -> np.ndarray:
        """int64: the row at which each row group begins, and the end."""
        metadata = [pq.read_metadata(file) for file in self.files]
        return np.cumsum([0, *(metadata[file].row_group(group).num_rows for file, group in self._groups)])

    @cached_property
    def _held(self) -> dict[str, Any]:
        # A place for what was read last, in what is frozen otherwise.
        return {}

    # Without the row group that is held: a worker reads its own.
    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files, "column": self.column, "rows": self.rows}


def open_tables(files: Sequence[Path]) -> Split:
    """Find the columns by their names and types, and read the labels.

    Numbers are class ids where the schema names the classes (as Hugging Face's do). skipped: rows without a label, and
    with labels that are no class. Raises CatlipError if the columns are not what is wanted.
    """
    try:
        schema = pq.read_schema(files[0])
        image, label = _image_column(schema, files[0]), _label_column(schema, files[0])
        column = pa.concat_tables([pq.read_table(file, columns=[label]) for file in files])[label]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise CatlipError(
            f"{files[0].parent}: not Parquet files with the same columns ({first_line(error)})."
        ) from error
    if not _holds_labels(column.type):
        raise CatlipError(
            f"{files[0]} has {column.type} in {label!r}; labels are whole numbers, text, or lists of them."
        )
    try:
        values: list[Any] = column.to_pylist()
    except ValueError as error:  # text that is not UTF-8
        raise CatlipError(f"{files[0].parent}: {label!r} cannot be read ({first_line(error)}).") from error
    names = _class_names(schema, label)
    many = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    listed = [value if many else None if value is None else [value] for value in values]
    skipped: Counter[str] = Counter()
    rows, kept = [], []
    for row, value in enumerate(listed):
        if value is None:
            skipped[NO_LABEL] += 1
        elif any(not _is_class(each, names) for each in value):
            skipped[OUT_OF_RANGE] += 1
        else:
            rows.append(row)
            kept.append([names[each] if names else str(each) for each in value])
    classes = tuple(names) if names else number_classes(name for each in kept for name in each)
    ids = {name: class_id for class_id, name in enumerate(classes)}
    pictures = TablePictures(files=tuple(files), column=image, rows=np.array(rows, np.int64))
    if many:
        return Split.of_many(
            pictures, classes, [np.array([ids[name] for name in each], np.int64) for each in kept], skipped
        )
    return Split.of_one(pictures, classes, np.array([ids[name] for [name] in kept], np.int64), skipped)


def _is_class(value: object, names: list[str] | None) -> bool:
    if isinstance(value, int):
        return 0 <= value < len(names) if names else value >= 0
    return isinstance(value, str) and names is None and bool(value)


def _image_column(schema: pa.Schema, file: Path) -> str:
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if len(found) != 1:
        raise CatlipError(
            f"{file} needs one column with pictures (bytes, or structs with `bytes`); "
            f"it has {', '.join(found) if found else 'none'} of {', '.join(schema.names)}."
        )
    return str(found[0])


def _holds_labels(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_labels(kind.value_type) and not pa.types.is_nested(kind.value_type)
    if pa.types.is_dictionary(kind):
        return _holds_labels(kind.value_type)
    return any(each(kind) for each in _LABEL_TYPES)


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _label_column(schema: pa.Schema, file: Path) -> str:
    for name in _LABELS:
        if name in schema.names:
            return name
    raise CatlipError(f"{file} needs a column {', '.join(_LABELS)}; it has {', '.join(schema.names)}.")


def _class_names(schema: pa.Schema, label: str) -> list[str] | None:
    """The names that Hugging Face's `datasets` writes beside a table, if there are any."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        feature = features[label]
        names = feature.get("names") or feature.get("feature", {}).get("names")
        return [str(name) for name in names] if names else None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
