"""What may be written over in a folder for --out, and what may not."""

from collections.abc import Sequence

from labelgen import candidates
from labelgen.folder import lease, locks
from labelshards import schema, storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet


def refuse_strangers(out: str) -> None:
    """Raise CatlipError if `out` holds files that no build put there: writing would delete or replace some of them."""
    entries = storage.list_folder(out)
    if not entries and storage.is_file(out):
        raise CatlipError(f"{out} is a file. Choose a folder for --out.")
    names = {str(entry["name"]).rstrip("/").rsplit("/", 1)[-1] for entry in entries}
    if names and not names & {locks.NAME, lease.FOLDER_NAME, schema.MANIFEST_NAME, candidates.FOLDER_NAME}:
        raise CatlipError(f"{out} holds other files. Choose a new or empty folder for --out, so that none is lost.")


def refuse_built(out: str, sources: Sequence[str]) -> None:
    """Raise CatlipError if `out` is what a build made, or a label set of other sources: it would be lost."""
    if storage.list_folder(candidates.folder_of(out)):
        raise CatlipError(f"{out} was made by `catlip labels build`, and would be lost. Choose another --out.")
    if not storage.exists(storage.join(out, schema.MANIFEST_NAME)):
        return
    if LabelSet.open(out).manifest.provenance.sources != list(sources):
        raise CatlipError(f"{out} is a label set of other data, and would be lost. Choose another --out.")
