"""A label set with other decisions about its classes: from what was kept of the parse, into another folder."""

import errno
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from labelgen import candidates
from labelgen.build import language_of
from labelgen.classes.edit import Edit, Edits
from labelgen.folder import locks, state
from labelgen.folder.outfolder import refuse_built, refuse_strangers
from labelgen.folder.state import BuildPlan
from labelgen.meaning.atlas import read_atlas
from labelgen.publish import publish
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet, Manifest
from labelshards.schema import HYPERNYMS, NOUNS

_NO_WRITING = {errno.EACCES, errno.EPERM, errno.EROFS}


def prune(
    source: str, out: str, edit: Edit, threshold: int | None, on_step: Callable[[int, int], None] = lambda _a, _b: None
) -> Manifest:
    """Write the label set `source` to `out`, with the decisions of `edit` and another threshold for its nouns.

    threshold: also that of the families that had the nouns'; None leaves it. No caption is parsed. `on_step` hears of
    steps done and in all. Raises CatlipError if the candidates of `source` are gone or those of another build, or if no
    class is left.
    """
    if storage.absolute(source) == storage.absolute(out):
        raise CatlipError(f"{out} cannot be pruned in place. Choose another --out.")
    label_set = LabelSet.open(source)
    plan = _plan_of(label_set)
    if edit.split and HYPERNYMS in plan.choice.families:
        raise CatlipError(
            "Classes with the family hypernyms cannot be split: a label does not say what it stands above. "
            "Leave out --split."
        )
    refuse_strangers(out)
    refuse_built(out, plan.sources)
    Edits(edit, read_atlas())  # so that a wrong name is told before anything is read
    families = dict(plan.choice.families)
    if threshold is not None:
        families = {name: threshold if at == families[NOUNS] else at for name, at in families.items()}
    names = {entry.name for entry in label_set.manifest.shards}
    with _unchanged(source), locks.held(out):
        return publish(
            out=out,
            shards=[shard for shard in plan.shards() if shard.name in names],
            language=language_of(plan),
            choice=msgspec.structs.replace(plan.choice, families=families),
            vocabulary_from=None,
            settings=plan.settings,
            sources=plan.sources,
            fingerprint=storage.digest(msgspec.json.encode([label_set.manifest.fingerprint, edit, families])),
            failed=label_set.manifest.failed,
            on_step=on_step,
            candidate_folder=candidates.folder_of(source),
            edit=edit,
        )


@contextmanager
def _unchanged(source: str) -> Iterator[None]:
    """Let nobody build in `source` meanwhile. Where this user may not write, it is read as it is."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(source))
            storage.remove_leftovers(candidates.folder_of(source))
        except OSError as error:
            if error.errno not in _NO_WRITING:
                raise
        yield


def _plan_of(label_set: LabelSet) -> BuildPlan:
    """What made a label set. Raises CatlipError if it is not what its candidates are for."""
    root, manifest = label_set.root, label_set.manifest
    if manifest.shards and manifest.vocabulary_from is not None:
        raise CatlipError(
            f"The vocabulary of {root} is that of {manifest.vocabulary_from}. Prune that one, and build {root} again "
            "with its vocabulary."
        )
    plan = state.plan_of(label_set)
    built = {name: manifest.provenance.settings.get(name) for name in plan.choice.__struct_fields__}
    if msgspec.to_builtins(plan.choice) != built:
        raise CatlipError(f"{root} is not finished: its candidates were asked for other labels. Run that build again.")
    return plan
