"""One row a class: what it is, how frequent, which terms gave it, and what a person should look at."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelgen.arrays.ragged import offsets, rank_in_row
from labelgen.audit import flags
from labelgen.audit.branches import branches
from labelgen.classes.edit import Edits, edit_of
from labelgen.classes.encode import number_of
from labelgen.dictionary.wordnet import THING_NAMES, Pos
from labelgen.meaning.atlas import Atlas, Meant
from labelgen.meaning.resolve import COMPOUND_BITS
from labelshards import schema
from labelshards.errors import LabelSetError
from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary

_MOSTLY = 0.5

CLASSES = pa.schema(
    [
        *(field for field in schema.VOCABULARY if field.name != "gloss"),
        pa.field("share", pa.float64()),
        pa.field("branch", pa.string()),
        pa.field("terms", pa.int64()),
        pa.field("top_term", pa.string()),
        pa.field("ambiguity", pa.float64()),
        pa.field("other_sense", pa.string()),
        pa.field("flags", pa.list_(pa.field("element", pa.string()))),
        schema.VOCABULARY.field("gloss"),
    ]
)


def class_table(label_set: LabelSet, atlas: Atlas | None) -> pa.Table:
    """All classes in their order (CLASSES). Without an atlas, what only WordNet could say is null.

    share: of all samples, null where the vocabulary was counted on another corpus. branch: the nearest landmark above
    (branches.py). terms, top_term: how many terms gave the class, and the one that did most often. ambiguity: the part
    of its support whose terms captions use in other senses, too; other_sense: the likeliest of those. flags: flags.py.
    """
    vocab = label_set.vocabulary
    places = np.full(len(vocab), -1) if atlas is None else class_places(vocab, atlas)
    given = terms_of(label_set)
    # A class without terms looks at some text, which is masked below.
    first = np.minimum(given.starts[:-1], max(0, len(given.texts) - 1))
    has_term = np.diff(given.starts) > 0
    blank = np.zeros(len(vocab))
    judged = _Judged(blank, blank, pa.nulls(len(vocab), pa.string()))
    if atlas is not None:
        edit = edit_of(label_set)
        becomes = np.arange(len(atlas.ids)) if edit is None else atlas.places(Edits(edit, atlas).of(atlas.ids))
        judged = _judge(vocab, given, places, atlas, becomes)
    meta = _share(given, flags.is_meta(given.texts)) >= _MOSTLY
    found = flags.flags_of(
        vocab.table["lexname"], meta, judged.odd >= _MOSTLY, judged.ambiguity >= _MOSTLY, places, atlas
    )
    samples = max(1, label_set.manifest.totals.samples)
    own = label_set.manifest.vocabulary_from is None
    columns = {
        "share": pa.array(vocab.support / samples) if own else pa.nulls(len(vocab), pa.float64()),
        "branch": pa.nulls(len(vocab), pa.string()) if atlas is None else branches(places, atlas),
        "terms": pa.array(np.diff(given.starts)),
        "top_term": given.texts.take(pa.array(first, mask=~has_term)),
        "ambiguity": pa.nulls(len(vocab), pa.float64()) if atlas is None else pa.array(judged.ambiguity),
        "other_sense": judged.other,
        "flags": flags.as_lists(found),
    }
    table = vocab.table
    return pa.table(
        [columns.get(name, table[name] if name in table.column_names else None) for name in CLASSES.names],
        schema=CLASSES,
    )


class Given(NamedTuple):
    """Terms that gave classes, most frequent first: those of class c are texts[starts[c]:starts[c+1]].

    starts: int64 [K+1]; texts: string [T]; counts: int64 [T]; classes: int64 [T]. are_told: false where nothing tells,
    and each class's first lemma stands for its terms.
    """

    starts: np.ndarray
    texts: pa.StringArray
    counts: np.ndarray
    classes: np.ndarray
    are_told: bool


def terms_of(label_set: LabelSet) -> Given:
    """From examples.parquet, if there is anything in it."""
    vocab = label_set.vocabulary
    table = label_set.examples()
    if not len(table):
        lemmas = pa.array([words[0].lower() for words in vocab.lemmas], pa.string())
        return Given(np.arange(len(vocab) + 1), lemmas, vocab.support, np.arange(len(vocab)), False)
    classes = table["class_id"].to_numpy().astype(np.int64)
    if len(classes) and int(classes.max()) >= len(vocab):
        where = f"{label_set.root}: {schema.EXAMPLES_NAME}"
        raise LabelSetError(f"{where} names a class that the vocabulary has not. Build the label set again.")
    starts = offsets(np.bincount(classes, minlength=len(vocab)))
    return Given(starts, table["term"].combine_chunks(), table["count"].to_numpy(), classes, True)


def class_places(vocab: Vocabulary, atlas: Atlas) -> np.ndarray:
    """int64 [K]: where each class's synset stands in the atlas; of a compound, its noun's."""
    numbers = np.array([number_of(wnid) for wnid in vocab.wnids], np.int64)
    return atlas.places(numbers & ((1 << COMPOUND_BITS) - 1))


class _Judged(NamedTuple):
    """ambiguity, odd: float64 [K], parts of the support; other: string [K] or null."""

    ambiguity: np.ndarray
    odd: np.ndarray
    other: pa.StringArray


def _judge(vocab: Vocabulary, given: Given, places: np.ndarray, atlas: Atlas, becomes: np.ndarray) -> _Judged:
    """What else the terms of each class may mean. Pairs of words have no other sense.

    becomes: int64 [n], the place of what a person made of each synset (edit.py), or -1.
    """
    # By the numbers of Pos; 0 is a pair.
    parts_of_speech = np.array([0 if "+" in wnid else "_nva".index(wnid[0]) for wnid in vocab.wnids])
    ambiguous, odd = np.zeros(len(given.texts), bool), np.zeros(len(given.texts), bool)
    others = np.full(len(given.texts), -1)
    for pos in Pos:
        mine = np.flatnonzero(parts_of_speech[given.classes] == pos)
        if not len(mine):
            continue
        meant = atlas.senses(pos, given.texts.take(pa.array(mine)).to_pylist())
        merged = becomes[meant.senses.values]
        meant = meant._replace(senses=meant.senses._replace(values=np.where(merged < 0, meant.senses.values, merged)))
        ambiguous[mine], odd[mine], others[mine] = _compare(meant, places[given.classes[mine]], atlas, pos)
    # What to show of a class: the odd term that gave it most often, else the ambiguous one.
    weight = given.counts * (ambiguous | odd) + odd * (1 + given.counts.max(initial=0))
    order = np.lexsort((-weight, given.classes))
    top = order[given.starts[:-1][np.diff(given.starts) > 0]]
    told = np.full(len(vocab), -1)
    told[given.classes[top]] = np.where(weight[top] > 0, others[top], -1)
    names = pa.array(atlas.names).take(pa.array(told, mask=told < 0))
    return _Judged(_share(given, ambiguous), _share(given, odd), names)


def _compare(meant: Meant, own: np.ndarray, atlas: Atlas, pos: Pos) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bool ambiguous, bool odd, int64 place of the likeliest other sense or -1) of terms that gave the synsets `own`.

    Odd: a person judged the term, and did not name that sense; or nobody did, it cannot be seen, and another can.
    """
    num = len(own)
    rows = np.repeat(np.arange(num), meant.senses.lengths)
    ranks = rank_in_row(rows)
    is_own = meant.senses.values == own[rows]
    judged = meant.likely > 0
    things = pc.is_in(atlas.lexnames, value_set=pa.array(sorted(THING_NAMES))).to_numpy(zero_copy_only=False)
    seen = things[meant.senses.values] | (pos is not Pos.NOUN)
    counts = ~is_own & np.where(judged[rows], ranks < meant.likely[rows], seen)
    ambiguous = np.bincount(rows[counts], minlength=num) > 0
    named = np.bincount(rows[is_own], minlength=num) > 0
    odd = ~named & ((judged & (meant.senses.lengths > 0)) | ((pos is Pos.NOUN) & ambiguous & ~things[own]))
    others = np.full(num, -1)
    shown = np.flatnonzero(counts)[::-1]  # backwards: of several the first is written last, and stays
    others[rows[shown]] = meant.senses.values[shown]
    return ambiguous, odd, others


def _share(given: Given, which: np.ndarray) -> np.ndarray:
    """float64 [K]: the part of each class's counts that `which` of its terms make up."""
    of_class = np.bincount(given.classes, given.counts * which, len(given.starts) - 1)
    total = np.bincount(given.classes, given.counts, len(given.starts) - 1)
    found: np.ndarray = of_class / np.maximum(total, 1)
    return found
