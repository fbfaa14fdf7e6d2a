"""What is decided about classes, applied to shards: compared with the same done by hand, sample by sample."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgen.arrays.ragged import Rows, pack
from labelgen.candidates import Mentions, Texts
from labelgen.classes.edit import Edit, Edits, Merge, Split
from labelgen.classes.edited import apply
from labelgen.meaning.atlas import Atlas
from labelgen.meaning.resolve import Labels, Produced
from labelgen.meaning.resolved import ResolvedShard, pack_labels
from labelgen.mentions.termtable import Entries

NAMES = ["dog.n.01", "corgi.n.01", "cat.n.01", "sofa.n.01", "week.n.01", "run.v.01"]
TERMS = ["alpha", "beta", "gamma", "delta"]
# A sample: the terms that it has, and the synset that each gave there.
ANY = st.lists(st.dictionaries(st.sampled_from(TERMS), st.sampled_from(NAMES)), max_size=8)
ONE_SENSE = st.builds(
    lambda senses, chosen: [{term: senses[TERMS.index(term)] for term in terms} for terms in chosen],
    st.lists(st.sampled_from(NAMES), min_size=len(TERMS), max_size=len(TERMS)),
    st.lists(st.sets(st.sampled_from(TERMS)), max_size=8),
)
SAMPLES = ANY | ONE_SENSE
MERGES = [Merge("below dog.n.01", "dog.n.01"), Merge("cat.n.01", "dog.n.01"), Merge("run.v.01", "cat.n.01")]
EDITS = st.builds(
    Edit,
    deny=st.lists(st.sampled_from([*NAMES, "noun.time", "below dog.n.01"]), max_size=2),
    merge=st.lists(st.sampled_from(MERGES), max_size=3, unique=True),
    split=st.lists(
        st.builds(Split, st.sampled_from(NAMES[:4]), st.sampled_from(TERMS), st.sampled_from(NAMES[2:])), max_size=2
    ),
    under=st.sampled_from([[], ["entity.n.01"], ["animal.n.01", "run.v.01"]]),
)  # fmt: skip


def number_of(name: str, atlas: Atlas) -> int:
    return int(atlas.ids[atlas.places_of([name])[0]])


def shard_of(samples: list[dict[str, str]], atlas: Atlas) -> tuple[int, Labels, Produced, Texts, Mentions]:
    """One family of a shard, whatever the parts of speech, and what its entries are called."""
    pairs = sorted({(row, number_of(name, atlas)) for row, sample in enumerate(samples) for name in sample.values()})
    gave = Counter((TERMS.index(term), number_of(name, atlas)) for sample in samples for term, name in sample.items())
    produced = np.array(
        [[entry, number, count, 1] for (entry, number), count in sorted(gave.items())], np.int64
    ).reshape(-1, 4)  # fmt: skip
    heads = np.full(len(TERMS), -1)
    mentions = pack(sorted(TERMS.index(term) for term in sample) for sample in samples)
    entries = Entries(TERMS, np.zeros(len(TERMS), np.int64), heads)
    told = Mentions(mentions.starts, mentions.values, entries, pack([[]] * len(TERMS)))
    labels = Labels(*np.array(pairs, np.int64).reshape(-1, 2).T)
    return len(samples), labels, Produced(*produced.T), Texts(pa.array(TERMS), heads), told


def edited(edit: Edit, samples: list[dict[str, str]], atlas: Atlas) -> ResolvedShard:
    num_rows, labels, produced, texts, mentions = shard_of(samples, atlas)
    return apply(Edits(edit, atlas), num_rows, labels, produced, texts, lambda: mentions)


def by_hand(edit: Edit, samples: list[dict[str, str]], atlas: Atlas) -> list[dict[str, str]]:
    """Sample by sample: what each of its terms gives in the end. One that gives nothing any more is left out."""
    for split in edit.split:
        gives = any(sample.get(split.term) == split.synset for sample in samples)
        samples = [
            {
                term: split.into if gives and (term, name) == (split.term, split.synset) else name
                for term, name in s.items()
            }
            for s in samples
        ]
    edits = Edits(edit, atlas)
    found = []
    for sample in samples:
        becomes = {term: int(edits.of(np.array([number_of(name, atlas)]))[0]) for term, name in sample.items()}
        found.append({term: number for term, number in becomes.items() if number >= 0})
    return found  # type: ignore[return-value]


@settings(max_examples=50)
@given(samples=SAMPLES, edit=EDITS)
def test_apply__equals_the_same_by_hand(samples: list[dict[str, str]], edit: Edit, atlas: Atlas) -> None:
    # Where a term gives several classes in the shard, a sample does not tell which of them it was.
    several = {term for term in TERMS if len({sample[term] for sample in samples if term in sample}) > 1}
    doubtful = bool(edit.split) and bool(several)
    if doubtful or len(edit.split) > 1:
        edit = Edit(deny=edit.deny, merge=edit.merge, under=edit.under)
    found = edited(edit, samples, atlas)
    expected = by_hand(edit, samples, atlas)
    rows = [set(found.numbers[found.labels.row(row)].tolist()) for row in range(len(samples))]
    assert rows == [set(row.values()) for row in expected]
    support = Counter(number for row in expected for number in set(row.values()))
    assert dict(zip(found.numbers.tolist(), found.support.tolist(), strict=True)) == support
    produced = Counter((TERMS.index(term), number) for row in expected for term, number in row.items())
    told = zip(found.produced.entries.tolist(), found.numbers[found.produced.labels].tolist(), strict=True)
    assert dict(zip(told, found.produced.samples.tolist(), strict=True)) == produced
    assert found.labels.starts[-1] == len(found.labels.values)
    assert all(len(set(row)) == len(row) for row in (found.labels.row(at).tolist() for at in range(len(samples))))


def test_apply__split_leaves_the_class_where_another_term_gave_it_too(atlas: Atlas) -> None:
    samples = [{"alpha": "dog.n.01"}, {"alpha": "dog.n.01", "beta": "dog.n.01"}, {"beta": "dog.n.01"}]
    found = edited(Edit(split=[Split("dog.n.01", "alpha", "corgi.n.01")]), samples, atlas)
    dog, corgi = number_of("dog.n.01", atlas), number_of("corgi.n.01", atlas)
    assert [set(found.numbers[found.labels.row(row)].tolist()) for row in range(3)] == [{corgi}, {corgi, dog}, {dog}]
    assert dict(zip(found.numbers.tolist(), found.support.tolist(), strict=True)) == {corgi: 2, dog: 2}


def test_apply__nothing_decided_reads_no_mentions_and_changes_nothing(atlas: Atlas) -> None:
    num_rows, labels, produced, texts, _ = shard_of([{"alpha": "dog.n.01", "beta": "run.v.01"}, {}], atlas)
    found = apply(Edits(Edit(), atlas), num_rows, labels, produced, texts, lambda: pytest.fail("mentions were read"))
    before = pack_labels(num_rows, labels, produced)
    for one, other in (
        (found.numbers, before.numbers), (found.labels.values, before.labels.values),
        (found.support, before.support), (found.produced.labels, before.produced.labels),
    ):  # fmt: skip
        assert np.array_equal(one, other)


def test_apply__all_is_left_out(atlas: Atlas) -> None:
    found = edited(Edit(deny=["noun.animal"]), [{"alpha": "dog.n.01"}], atlas)
    assert found.labels.lengths.tolist() == [0]
    assert len(found.numbers) == len(found.support) == len(found.produced.entries) == 0
    assert isinstance(found.labels, Rows)
