"""Lists that people write: a line for each entry, columns parted by tabs, `#` begins a comment."""

from collections.abc import Iterator

from labelshards import storage
from labelshards.errors import CatlipError


def read_columns(uri: str, num_columns: int, expected: str) -> Iterator[tuple[str, list[str]]]:
    """(where it stands, columns without white space around them) of each line that says something.

    expected: what a line must be, for the CatlipError of one with other columns, or of a file that is not UTF-8.
    """
    try:
        text = storage.read_bytes(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatlipError(f"{uri} is not UTF-8 ({error}). Save it as UTF-8.") from error
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        columns = [column.strip() for column in content.split("\t") if column.strip()]
        if content and len(columns) != num_columns:
            raise CatlipError(f"{uri}, line {number}: expected {expected}, got {content!r}.")
        if content:
            yield f"{uri}, line {number}", columns
