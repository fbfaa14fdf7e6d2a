"""OUT of a pass over pictures: one Parquet file, or a folder of parts.

OUT.parquet grows in the folder OUT.parquet.parts, which is gone at the end. Any other OUT is a folder, on this machine
or in a store: its parts stay, and _summary.json, written last, says that all are there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from labelshards import parquet, storage
from labelshards.errors import CatlipError
from labelshards.flock import locked
from trainer.pictures.parts import SUFFIX, Parts
from trainer.pictures.summary import Summary, Tally
from trainer.pictures.units import Unit
from trainer.pictures.work import Work, parts

_SUMMARY_KEY = b"catlip.summary"
_SUMMARY_NAME = "_summary.json"  # readers of folders of Parquet pass over names that begin so
_MERGED_NAME = "merged"
_ROWS_PER_GROUP = 65_536
_ROWS_AT_ONCE = 4096


def write(
    work: Work, units: Sequence[Unit], out: str, model: str, report: Callable[[int, int], None]
) -> tuple[Summary, bool]:
    """Compute what is not there yet and finish OUT: (its summary, whether there was anything to do).

    report(bytes, pictures) is told of the bytes that are behind, first those of earlier runs, and of its own pictures.
    Raises CatlipError if OUT is of other pictures, settings or weights, or if no picture could be read.
    """
    with _held(out) as folder:
        found = Parts(folder, work, units)
        done = read_summary(out)
        if done is not None and (done.identity == found.identity or _is_file(out)):
            if folder != out:
                storage.remove(folder)  # nothing of it is needed
            if done.identity != found.identity:
                how = done.differs(model, work.settings)
                raise CatlipError(f"{out} was made {how}. Remove it, or choose another --out.")
            return done, False
        left = list(found.left())
        before = sum(unit.size for unit in units) - sum(unit.size for unit, _ in left)
        report(before, 0)
        for part in parts(work, left, lambda num_bytes, pictures: report(before + num_bytes, pictures)):
            found.write(part)
        tally = Tally(found.identity, model, work.settings)
        summary = _to_file(found, work.schema, out, tally) if _is_file(out) else _to_folder(found, out, tally)
        return summary, True


def read_summary(out: str) -> Summary | None:
    """The summary of OUT, None if it is not finished. Raises CatlipError if something else stands there."""
    where = out if _is_file(out) else storage.join(out, _SUMMARY_NAME)
    if not storage.exists(where):
        return None
    try:
        if _is_file(out):
            with storage.opened(out) as file:
                data = (pq.read_metadata(file).metadata or {}).get(_SUMMARY_KEY, b"")
        else:
            data = storage.read_bytes(where)
        return msgspec.json.decode(data, type=Summary)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise CatlipError(f"{where} was not written by this catlip ({error}). Choose another --out.") from error


def tables(out: str) -> Iterator[pa.Table]:
    """The rows of a finished OUT, some thousand at a time."""
    if _is_file(out):
        with storage.opened(out) as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=_ROWS_AT_ONCE, use_threads=False):
                yield pa.Table.from_batches([batch])
        return
    for name in storage.list_files(out):
        if name.endswith(SUFFIX):
            yield parquet.read_table(storage.read_bytes(storage.join(out, name)))


def _to_folder(found: Parts, out: str, tally: Tally) -> Summary:
    for unit, table, damage in found.read(["problem"]):
        tally.add(unit.sources[0].uri, table, damage)
    summary = tally.summary()
    text = msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n"
    storage.write_bytes(storage.join(out, _SUMMARY_NAME), text)
    return summary


def _to_file(found: Parts, schema: pa.Schema, out: str, tally: Tally) -> Summary:
    """One file of all parts, made in their folder and then put in its place."""
    merged = Path(storage.filesystem(found.folder)[1]) / _MERGED_NAME
    with storage.whole_file(merged) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        waiting = schema.empty_table()
        for unit, table, damage in found.read():
            tally.add(unit.sources[0].uri, table, damage)
            waiting = pa.concat_tables([waiting, table])
            if len(waiting) >= _ROWS_PER_GROUP:
                writer.write_table(waiting)
                waiting = schema.empty_table()
        writer.write_table(waiting)
        summary = tally.summary()
        writer.add_key_value_metadata({_SUMMARY_KEY: msgspec.json.encode(summary)})
    merged.replace(storage.filesystem(out)[1])
    storage.remove(found.folder)
    return summary


@contextmanager
def _held(out: str) -> Iterator[str]:
    """The folder of the parts, held as its only writer and clear of what a killed one left."""
    folder = f"{out}.parts" if _is_file(out) else out
    if not storage.is_local(folder):
        if _is_file(out):
            where = out.removesuffix(SUFFIX)
            raise CatlipError(f"{out}: a single file can only grow on this machine. Take a folder: --out {where}")
        yield folder
        return
    path = Path(storage.filesystem(folder)[1])
    path.mkdir(parents=True, exist_ok=True)
    with locked(path / ".lock", f"Another catlip is writing {out}. Wait for it, or choose another --out."):
        storage.remove_leftovers(folder)
        yield folder


def _is_file(out: str) -> bool:
    return out.endswith(SUFFIX)
