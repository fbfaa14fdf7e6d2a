"""Where the table of a build lies, and who makes it: once, before the first caption is labelled, for all workers."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import msgspec

from labelgen import candidates
from labelgen.distill import table
from labelgen.distill.table import Table
from labelshards import storage
from labelshards.errors import CatlipError


def settle(
    out: str, by: str, teach: Callable[[], bytes], turn: Callable[[], AbstractContextManager[None]], *, rebuild: bool
) -> Table:
    """The table of the build at `out`: the one that is there, else the one that `teach` makes, which is kept.

    by: identity of what decides a table besides the captions. New shards do not change a table: labels of one set come
    from one table. turn: what is held while a table is taught, so that of several slices one teaches and the others
    wait for its table. rebuild: take none of a finished label set. Raises CatlipError for a table that was made
    otherwise.
    """
    kept = storage.join(candidates.folder_of(out), table.NAME)
    finished = storage.join(out, table.NAME)
    if not storage.exists(kept):
        with turn():
            if not storage.exists(kept):  # else another one taught it meanwhile
                is_finished = not rebuild and storage.exists(finished)
                storage.create_bytes(kept, storage.read_bytes(finished) if is_finished else teach())
    found = table.read(kept)
    if found.taught.by != by:
        raise CatlipError(
            f"{kept} was learnt with another --distilled-captions or --terms, or other versions of what teaches it.\n"
            "Use the same, another --out, or --rebuild to learn it anew and label all captions again."
        )
    return found


def read(candidate_folder: str, digest: str) -> Table:
    """The table that a worker labels with. Raises CatlipError if it is not the one with this digest."""
    where = storage.join(candidate_folder, table.NAME)
    found = table.read(where)
    if found.digest != digest:
        raise CatlipError(f"{where} was changed while the build ran. Run the build again, with --rebuild.")
    return found


def read_bytes(candidate_folder: str) -> bytes:
    """The file, for the label set."""
    return storage.read_bytes(storage.join(candidate_folder, table.NAME))


def provenance(found: Table) -> dict[str, str]:
    """What a manifest says of a table."""
    told = msgspec.to_builtins(found.taught.labels)
    counts = {"captions": found.taught.captions, "held_out": found.taught.held_out}
    return {name: str(value) for name, value in {"digest": found.digest, **counts, **told}.items()}
