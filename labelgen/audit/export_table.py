"""A table of classes as CSV, for a spreadsheet."""

import csv
import io

import pyarrow as pa

_JOINED = " | "


def to_csv(table: pa.Table) -> bytes:
    """One line a class, with a header; lists are joined by ` | `."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(_JOINED.join(value) if isinstance(value, list) else value for value in row.values())
    return text.getvalue().encode()
