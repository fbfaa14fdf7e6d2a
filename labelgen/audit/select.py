"""Which classes of a table are asked for, and in which order."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelgen.audit.classes import class_places
from labelgen.audit.find import mentions
from labelgen.audit.flags import FLAGS
from labelgen.meaning.atlas import Atlas
from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary

_EQUAL = ("family", "lexname", "branch")
FILTERS = (*_EQUAL, "flag", "word")

_DOWN, _UP = "descending", "ascending"
# What classes are sorted by → the columns that decide, in turn; equal ones stay by support.
SORTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "support": [],
    "rarest": [("support", _UP)],
    "name": [("synset", _UP)],
    "lexname": [("lexname", _UP)],
    "ambiguity": [("ambiguity", _DOWN)],
    "terms": [("terms", _DOWN)],
}
SORT_BY_FLAGS = "flags"


def select(
    table: pa.Table,
    vocab: Vocabulary,
    atlas: Atlas | None,
    filters: Sequence[tuple[str, str]] = (),
    under: str | None = None,
    sort: str = "support",
) -> pa.Table:
    """Rows of a `class_table` that pass all filters (FILTERS) and stand below a synset, sorted (SORTS, SORT_BY_FLAGS).

    Raises CatlipError for a value that no class has, and without an atlas for what only WordNet tells.
    """
    kept = pa.array(np.ones(len(table), bool))
    for name, value in filters:
        kept = pc.and_(kept, _passes(table, vocab, name, value))
    if under is not None:
        kept = pc.and_(kept, pa.array(_below(vocab, atlas, under)))
    table = table.filter(kept)
    if sort == SORT_BY_FLAGS:
        gravest = [FLAGS.index(flags[0]) if flags else len(FLAGS) for flags in table["flags"].to_pylist()]
        return table.take(pa.array(np.argsort(np.array(gravest, np.int64), kind="stable")))
    return table.sort_by([*SORTS[sort], ("class_id", _UP)])


def _passes(table: pa.Table, vocab: Vocabulary, name: str, value: str) -> pa.Array:
    if name == "word":
        return mentions(vocab, value)
    if name == "flag":
        if value not in FLAGS:
            raise CatlipError(f"There is no flag {value!r}. Flags: {', '.join(FLAGS)}.")
        return pa.array([value in flags for flags in table["flags"].to_pylist()], pa.bool_())
    found = pc.fill_null(pc.equal(table[name], value), False)
    if not pc.any(found).as_py():
        known = sorted(filter(None, pc.unique(table[name]).to_pylist()))
        raise CatlipError(f"No class has the {name} {value!r}. There are: {', '.join(known) or 'none'}.")
    return found


def _below(vocab: Vocabulary, atlas: Atlas | None, name: str) -> np.ndarray:
    """bool [K]: the classes that are a synset or a kind of it."""
    if atlas is None:
        raise CatlipError("What stands below a synset only WordNet tells. Run: catlip labels setup")
    places = class_places(vocab, atlas)
    found: np.ndarray = atlas.below(atlas.require(name))[places] & (places >= 0)
    return found
