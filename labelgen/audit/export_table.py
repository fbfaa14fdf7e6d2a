"""A table of classes as CSV or Parquet, for a spreadsheet or a notebook."""

import csv
import io
import sys

import pyarrow as pa

from labelshards import parquet, storage

_JOINED = " | "


def to_csv(table: pa.Table, where: str) -> None:
    """One line a class, with a header; lists are joined by ` | `. `where`: a path or URI, or - for standard output."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(_JOINED.join(value) if isinstance(value, list) else value for value in row.values())
    if where == "-":
        sys.stdout.write(text.getvalue())
    else:
        storage.write_bytes(where, text.getvalue().encode())


def to_parquet(table: pa.Table, where: str) -> None:
    """The table as it is."""
    storage.write_bytes(where, parquet.to_bytes(table))
