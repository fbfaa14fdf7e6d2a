"""Support, pairs, examples and encoding, against plain Python that says the same in a line."""

from collections import Counter
from itertools import combinations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import candidates
from labelgen.candidates import CandidateShard, Report
from labelgen.encode import Encoder, synset_id
from labelgen.extract import Seconds, _take
from labelgen.lexicon import NOUN, Synset
from labelgen.sources.sample import Sample
from labelgen.support import MIN_PAIR_SUPPORT, Cooccurrence, Examples, Support, vocabulary
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary

IDS = [NOUN + number for number in range(0, 80, 7)]
SYNSETS = {
    identity: Synset(identity, f"thing_{identity}.n.01", ("thing",), "a thing", "noun.artifact", ()) for identity in IDS
}
ROWS = st.lists(st.sets(st.sampled_from(IDS), max_size=7).map(sorted), max_size=12)
SHARDS = st.lists(ROWS, min_size=1, max_size=4)


def candidate(rows: list[list[int]]) -> CandidateShard:
    report = Report(fingerprint="", samples=len(rows), captions=0, images=0, problems={}, damage=None, image_files=())
    return CandidateShard(
        keys=pa.array([str(row) for row in range(len(rows))], pa.string()),
        synsets=pa.array(rows, schema.LABELS),
        images=pa.array([None] * len(rows), schema.IMAGE),
        captions=None,
        report=report,
    )


def counted(shards: list[list[list[int]]]) -> Support:
    total = Support(SYNSETS)
    for rows in shards:
        total.add(candidate(rows))
    return total


def plain(shards: list[list[list[int]]]) -> Counter[int]:
    return Counter(identity for rows in shards for row in rows for identity in row)


def kept(shards: list[list[list[int]]], threshold: int) -> Vocabulary | None:
    """The vocabulary, or None if no class is left."""
    try:
        return vocabulary(counted(shards), SYNSETS, threshold)
    except CatlipError:
        return None


@given(shards=SHARDS)
def test_support__is_a_counter(shards: list[list[list[int]]]) -> None:
    total = counted(shards)
    found = {int(identity): int(count) for identity, count in zip(total.ids, total.counts, strict=True) if count}
    assert found == plain(shards)
    assert total.classes_at((0, 1, 5)) == {at: sum(count > at for count in plain(shards).values()) for at in (0, 1, 5)}


@given(shards=SHARDS, threshold=st.integers(0, 5))
def test_vocabulary__is_what_a_plain_sort_gives(shards: list[list[list[int]]], threshold: int) -> None:
    expected = sorted(
        ((-count, identity) for identity, count in plain(shards).items() if count > threshold),
    )
    vocab = kept(shards, threshold)
    assert [synset_id(wnid) for wnid in (vocab.wnids if vocab else [])] == [identity for _, identity in expected]
    if vocab is not None:
        assert vocab.support.tolist() == [-count for count, _ in expected]


def test_vocabulary__nothing_left_suggests_what_leaves_some() -> None:
    with pytest.raises(CatlipError, match=r"1 at 1, 0 at 5.*\n.*--threshold 1; no caption"):
        vocabulary(counted([[[IDS[0]], [IDS[0], IDS[1]]]]), SYNSETS, 100)
    with pytest.raises(CatlipError, match="--threshold 0;"):
        vocabulary(counted([[[IDS[0]]]]), SYNSETS, 1)


@given(shards=SHARDS, threshold=st.integers(0, 3))
def test_encoder__is_a_dictionary(shards: list[list[list[int]]], threshold: int) -> None:
    vocab = kept(shards, threshold)
    if vocab is None:
        return
    class_of = {synset_id(wnid): number for number, wnid in enumerate(vocab.wnids)}
    encoder = Encoder(vocab)
    for rows in shards:
        encoded = encoder.encode(candidate(rows))
        encoded.check(len(vocab), "x")
        assert len(encoded) == len(rows)
        assert [encoded.labels(row).tolist() for row in range(len(rows))] == [
            sorted(class_of[identity] for identity in row if identity in class_of) for row in rows
        ]


def test_encoder__vocabulary_of_another_corpus() -> None:
    vocab = kept([[[IDS[5], IDS[3]]]], 0)
    assert vocab is not None
    encoded = Encoder(vocab).encode(candidate([[IDS[0], IDS[3], IDS[11]], [], [IDS[1]]]))
    assert encoded.values.tolist() == [0]
    assert encoded.offsets.tolist() == [0, 1, 1, 1]


@given(shards=SHARDS)
def test_cooccurrence__is_a_brute_force_count(shards: list[list[list[int]]]) -> None:
    vocab = kept(shards, 0)
    if vocab is None:
        return
    encoder = Encoder(vocab)
    pairs = Cooccurrence(len(vocab))
    expected: Counter[tuple[int, int]] = Counter()
    for rows in shards:
        encoded = encoder.encode(candidate(rows))
        pairs.add(encoded)
        for row in range(len(rows)):
            expected.update(combinations(encoded.labels(row).tolist(), 2))
    assert [tuple(row.values()) for row in pairs.table().to_pylist()] == [
        (a, b, count) for (a, b), count in sorted(expected.items()) if count >= MIN_PAIR_SUPPORT
    ]


def test_examples__add_up_over_shards() -> None:
    def terms(*rows: tuple[int, str, int, list[str]]) -> pa.Table:
        return pa.Table.from_pylist(
            [dict(zip(("synset", "term", "count", "captions"), row, strict=True)) for row in rows],
            candidates._TERMS,
        )

    examples = Examples({IDS[1]: 0, IDS[0]: 1})
    examples.add(terms((IDS[0], "sofa", 2, ["a", "b"]), (IDS[0], "couch", 1, ["c"]), (IDS[2], "gone", 9, ["d"])))
    examples.add(terms((IDS[0], "couch", 4, ["c", "e"]), (IDS[0], "sofa", 1, ["f", "g"]), (IDS[1], "dog", 1, ["h"])))
    assert [tuple(row.values()) for row in examples.table().to_pylist()] == [
        (0, "dog", 1, ["h"]),
        (1, "couch", 5, ["c", "e"]),
        (1, "sofa", 3, ["a", "b", "f"]),
    ]


@given(counts=st.lists(st.integers(0, 9), max_size=30), size=st.integers(1, 12))
def test_take__all_samples_once_in_order(counts: list[int], size: int) -> None:
    samples = [Sample(str(number), ("x",) * count) for number, count in enumerate(counts)]
    rest = iter(samples)
    batches = []
    while batch := _take(rest, size):
        batches.append(batch)
    assert [sample for batch in batches for sample in batch] == samples
    for batch in batches[:-1]:
        weights = [max(1, len(sample.captions)) for sample in batch]
        assert sum(weights) >= size > sum(weights[:-1])


def test_seconds__add_up() -> None:
    total = Seconds(read=1, parse=2) + Seconds(parse=3, label=4, write=5)
    assert total.by_stage() == {"read": 1, "parse": 5, "label": 4, "write": 5}
