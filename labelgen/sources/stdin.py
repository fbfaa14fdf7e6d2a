"""Standard input as a source (`-`): it is written into a file, because a shard may be read more than once."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xxhash

from labelgen.sources.sample import SourceError
from labelshards import storage

NAME = "-"
FOLDER_NAME = "_stdin"
_DEFAULT_FORMAT = "txt"
_FORMATS = (_DEFAULT_FORMAT, "jsonl", "tsv", "csv")
_BLOCK_BYTES = 1 << 20


@contextmanager
def spooled(sources: Sequence[str], format_name: str | None, out: str) -> Iterator[list[str]]:
    """`sources` with the name of a file in the place of `-`; the file lives in the folder `out` as long as this does.

    Its path and identity come from its content, so a second build of the same captions has nothing to do. Raises
    SourceError if nothing comes in, or if the format is none of text.
    """
    if NAME not in sources:
        yield list(sources)
        return
    name = format_name or _DEFAULT_FORMAT
    if name not in _FORMATS:
        raise SourceError(f"Standard input is read as {', '.join(_FORMATS)}. Save {name} to a file, and name that.")
    if not storage.is_local(out):
        raise SourceError(f"Standard input needs an --out on this machine, and {out} is not. Save it to a file.")
    folder = Path(storage.absolute(out), FOLDER_NAME)
    shutil.rmtree(folder, ignore_errors=True)  # what a killed build left
    try:
        path = _spool(folder, name)
        yield [str(path) if source == NAME else source for source in sources]
    finally:
        shutil.rmtree(folder)


def _spool(folder: Path, suffix: str) -> Path:
    digest = xxhash.xxh3_64()
    arriving = folder / "arriving"
    with storage.whole_file(arriving) as temporary, temporary.open("wb") as file:
        while block := sys.stdin.buffer.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    if not arriving.stat().st_size:
        raise SourceError("Nothing came on standard input. Pipe captions into it, one a line.")
    path = folder / digest.hexdigest() / f"stdin.{suffix}"
    path.parent.mkdir()
    os.utime(arriving.rename(path), (0, 0))  # a file is known by place, size and time: now the same for the same bytes
    return path
