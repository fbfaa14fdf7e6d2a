"""Support, pairs, examples and encoding, against plain Python that says the same in a line."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import candidates
from labelgen.arrays.ragged import Rows as Ragged
from labelgen.candidates import Samples
from labelgen.classes import examples, support
from labelgen.classes.encode import Encoder, number_of
from labelgen.classes.examples import Gathering
from labelgen.classes.support import MIN_PAIR_SUPPORT, Cooccurrence, Support, vocabulary
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos, Synset, id_of, synset_id, wnid_of
from labelgen.extract import Seconds, _take
from labelgen.meaning import resolved as resolved_files
from labelgen.meaning.resolve import COMPOUND_BITS, NOTHING, Labels, Produced
from labelgen.meaning.resolved import ResolvedShard, pack_labels
from labelgen.mentions.gather import Example, terms_of
from labelgen.sources.sample import Sample
from labelshards.errors import CatlipError
from labelshards.schema import ATTRIBUTES, COMPOUNDS, HYPERNYMS, NOUNS
from labelshards.vocabulary import Vocabulary
from tests.labelgen.shards import entries_of, shard

# Family → numbers in each row of a shard.
Rows = dict[str, list[list[int]]]

NOUN_IDS = [synset_id(Pos.NOUN, number) for number in range(0, 60, 7)]
ADJECTIVE_IDS = [synset_id(Pos.ADJECTIVE, number) for number in range(3)]
COMPOUND_IDS = [adjective << COMPOUND_BITS | noun for adjective in ADJECTIVE_IDS for noun in NOUN_IDS[:2]]
SYNSETS = Synsets.of(
    Synset(
        id=identity,
        name=f"thing_{identity}.{Pos(identity // 100_000_000).letter}.01",
        lemmas=(f"thing {identity}", "Ding"),
        gloss=f"a thing; {identity}",
        lexname="noun.artifact",
        hypernyms=(),
        is_instance=False,
        parts=(),
        topics=(),
        derived=(),
    )
    for identity in (*NOUN_IDS, *ADJECTIVE_IDS)
)
NUM_ROWS = 8


def rows_of(numbers: list[int]) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.sets(st.sampled_from(numbers), max_size=5).map(sorted), min_size=NUM_ROWS, max_size=NUM_ROWS)


SHARDS: st.SearchStrategy[list[Rows]] = st.lists(
    st.fixed_dictionaries(
        {NOUNS: rows_of(NOUN_IDS), ATTRIBUTES: rows_of(ADJECTIVE_IDS), COMPOUNDS: rows_of(COMPOUND_IDS)}
    ),
    min_size=1,
    max_size=3,
)
THRESHOLDS = st.fixed_dictionaries({family: st.integers(0, 5) for family in (NOUNS, ATTRIBUTES, COMPOUNDS)})


def resolved(rows: Rows) -> dict[str, ResolvedShard]:
    found = {}
    for family, of_family in rows.items():
        of_row = np.repeat(np.arange(len(of_family)), [len(row) for row in of_family])
        numbers = np.array([number for row in of_family for number in row], np.int64)
        found[family] = pack_labels(len(of_family), Labels(of_row, numbers), NOTHING)
    return found


def counts(rows: Rows) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {family: (packed.numbers, packed.support) for family, packed in resolved(rows).items()}


def labels(rows: Rows) -> list[tuple[np.ndarray, Ragged]]:
    return [(packed.numbers, packed.labels) for packed in resolved(rows).values()]


def samples(num_rows: int) -> Samples:
    whole = shard([[]] * num_rows)
    return Samples(whole.keys, whole.images, None, whole.report)


def nouns(*shards: list[list[int]]) -> list[Rows]:
    return [{NOUNS: rows} for rows in shards]


def counted(shards: list[Rows]) -> Support:
    support = Support(dict.fromkeys(family for rows in shards for family in rows))
    for rows in shards:
        support.add(counts(rows))
    return support


def plain(shards: list[Rows], family: str) -> Counter[int]:
    return Counter(number for rows in shards for row in rows[family] for number in row)


def kept(shards: list[Rows], thresholds: dict[str, int]) -> Vocabulary | None:
    """The vocabulary, or None if no class is left."""
    try:
        return vocabulary(counted(shards), SYNSETS, thresholds)
    except CatlipError:
        return None


@given(shards=SHARDS, thresholds=THRESHOLDS)
def test_support__is_a_counter(shards: list[Rows], thresholds: dict[str, int]) -> None:
    support = counted(shards)
    assert support.kept(thresholds) == sorted(
        (
            (number, family, count)
            for family, threshold in thresholds.items()
            for number, count in plain(shards, family).items()
            if count > threshold
        ),
        key=lambda row: (-row[2], row[0]),
    )
    of_nouns = plain(shards, NOUNS)
    assert support.classes_at((0, 1, 5)) == {at: sum(count > at for count in of_nouns.values()) for at in (0, 1, 5)}


def test_support__of_a_hypernym_is_of_all_below_it() -> None:
    dog, cat, animal = NOUN_IDS[:3]
    nouns = [[dog], [cat], [dog, cat], [animal], []]
    support = counted([{NOUNS: nouns, HYPERNYMS: [[dog, animal], [cat, animal], [dog, cat, animal], [animal], []]}])
    assert support.kept({NOUNS: 1, HYPERNYMS: 1}) == [(animal, HYPERNYMS, 4), (dog, NOUNS, 2), (cat, NOUNS, 2)]
    # A noun of the captions stays one, with the support of all below it.
    assert support.kept({NOUNS: 0, HYPERNYMS: 0})[0] == (animal, NOUNS, 4)


@given(shards=SHARDS, thresholds=THRESHOLDS)
def test_vocabulary__is_what_was_kept(shards: list[Rows], thresholds: dict[str, int]) -> None:
    expected = counted(shards).kept(thresholds)
    vocab = kept(shards, thresholds)
    if vocab is None:
        assert not expected
        return
    assert list(zip(map(number_of, vocab.wnids), vocab.families, vocab.support.tolist(), strict=True)) == expected


def test_vocabulary__says_what_a_class_is() -> None:
    noun, adjective, compound = NOUN_IDS[0], ADJECTIVE_IDS[1], COMPOUND_IDS[2]
    rows = {NOUNS: [[noun]] * 3, ATTRIBUTES: [[adjective]] * 2 + [[]], COMPOUNDS: [[compound], [], []]}
    vocab = kept([rows], {NOUNS: 0, ATTRIBUTES: 0, COMPOUNDS: 0})
    assert vocab is not None
    assert vocab.families == [NOUNS, ATTRIBUTES, COMPOUNDS]
    assert vocab.wnids == ["n00000000", "a00000001", "a00000001+n00000000"]
    assert vocab.synsets == [
        "thing_100000000.n.01", "thing_300000001.a.01", "thing_300000001.a.01+thing_100000000.n.01",
    ]  # fmt: skip
    assert vocab.lemmas[0] == ["thing 100000000", "Ding"]
    assert vocab.lemmas[2] == ["thing 300000001 thing 100000000", "thing 300000001 Ding"]
    assert vocab.glosses[2] == "a thing; 300000001 + a thing; 100000000"
    assert vocab.support.tolist() == [3, 2, 1]


def test_vocabulary__each_family_has_its_threshold() -> None:
    rows = {NOUNS: [[NOUN_IDS[0]]] * 2, ATTRIBUTES: [[ADJECTIVE_IDS[0]]] * 2}
    vocab = kept([rows], {NOUNS: 1, ATTRIBUTES: 2})
    assert vocab is not None
    assert vocab.families == [NOUNS]


def test_vocabulary__nothing_left_suggests_what_leaves_some() -> None:
    rows = nouns([[NOUN_IDS[0]], [NOUN_IDS[0], NOUN_IDS[1]]])
    with pytest.raises(CatlipError, match=r"1 at 1, 0 at 5.*\n.*--threshold 1; no caption"):
        vocabulary(counted(rows), SYNSETS, {NOUNS: 100})
    with pytest.raises(CatlipError, match="--threshold 0;"):
        vocabulary(counted(nouns([[NOUN_IDS[0]]])), SYNSETS, {NOUNS: 1})


@given(identity=st.integers(100_000_000, 399_999_999), other=st.integers(100_000_000, 199_999_999))
def test_number_of__wnids_and_compounds(identity: int, other: int) -> None:
    assert number_of(wnid_of(identity)) == id_of(wnid_of(identity)) == identity
    assert divmod(number_of(f"{wnid_of(identity)}+{wnid_of(other)}"), 1 << COMPOUND_BITS) == (identity, other)


@given(shards=SHARDS, thresholds=THRESHOLDS)
def test_encoder__is_a_dictionary(shards: list[Rows], thresholds: dict[str, int]) -> None:
    vocab = kept(shards, thresholds)
    if vocab is None:
        return
    class_of = {number_of(wnid): number for number, wnid in enumerate(vocab.wnids)}
    encoder = Encoder(vocab)
    for rows in shards:
        encoded = encoder.encode(samples(NUM_ROWS), labels(rows))
        encoded.check(len(vocab), "x")
        assert len(encoded) == NUM_ROWS
        for row in range(NUM_ROWS):
            numbers = {number for of_family in rows.values() for number in of_family[row]}
            assert encoded.labels(row).tolist() == sorted(class_of[number] for number in numbers & class_of.keys())


def test_encoder__a_noun_that_is_also_above_another_is_one_label() -> None:
    dog, animal = NOUN_IDS[:2]
    rows = {NOUNS: [[dog, animal], [dog]], HYPERNYMS: [[animal], [animal]]}
    vocab = kept([rows], {NOUNS: 0, HYPERNYMS: 0})
    assert vocab is not None
    encoded = Encoder(vocab).encode(samples(2), labels(rows))
    encoded.check(len(vocab), "x")
    assert encoded.offsets.tolist() == [0, 2, 4]


def test_encoder__vocabulary_of_another_corpus() -> None:
    vocab = kept(nouns([[NOUN_IDS[5], NOUN_IDS[3]]]), {NOUNS: 0})
    assert vocab is not None
    rows = {
        NOUNS: [[NOUN_IDS[0], NOUN_IDS[3], NOUN_IDS[8]], [], [NOUN_IDS[1]]],
        ATTRIBUTES: [[ADJECTIVE_IDS[0]], [], []],
    }
    encoded = Encoder(vocab).encode(samples(3), labels(rows))
    assert encoded.values.tolist() == [0]
    assert encoded.offsets.tolist() == [0, 1, 1, 1]


def test_encoder__keeps_rows_without_labels() -> None:
    vocab = kept(nouns([[NOUN_IDS[0]]]), {NOUNS: 0})
    assert vocab is not None
    encoded = Encoder(vocab).encode(samples(2), labels({NOUNS: [[], []]}))
    assert encoded.keys.to_pylist() == ["0", "1"]
    assert encoded.num_labelled == 0


@pytest.mark.parametrize("num_frequent", [0, 2, 4_096])
@pytest.mark.parametrize("narrow_samples", [10, 1 << 32])
@given(shards=SHARDS, many_labels=st.sampled_from([0, 5, 1_000]))
def test_cooccurrence__is_a_brute_force_count(
    num_frequent: int, narrow_samples: int, shards: list[Rows], many_labels: int
) -> None:
    vocab = kept(shards, {NOUNS: 0, ATTRIBUTES: 0, COMPOUNDS: 0})
    if vocab is None:
        return
    encoder = Encoder(vocab)
    pairs = Cooccurrence(len(vocab), num_frequent, many_labels)
    expected: Counter[tuple[int, int]] = Counter()
    for rows in shards:
        encoded = encoder.encode(samples(NUM_ROWS), labels(rows))
        with patch.object(support, "_NARROW_SAMPLES", narrow_samples):
            pairs.add(encoded)
        for row in range(NUM_ROWS):
            expected.update(combinations(encoded.labels(row).tolist(), 2))
    assert [tuple(row.values()) for row in pairs.table().to_pylist()] == [
        (a, b, count) for (a, b), count in sorted(expected.items()) if count >= MIN_PAIR_SUPPORT
    ]


def told(folder: Path, shards: list[list[tuple[str, int, int, list[str], int]]], vocab: Vocabulary) -> list[Any]:
    """Of shards: terms with their labels, samples, captions of the term, and bits that say which are of that label."""
    gathering = Gathering(None)
    for number, produced in enumerate(shards):
        columns = list(zip(*produced, strict=True))
        numbers, places = np.unique(columns[1], return_inverse=True)
        whole = shard([list(columns[0])])
        captions = [[Example(0, text) for text in texts] for texts in columns[3]]
        terms = terms_of(entries_of(whole.terms), captions)
        candidates.write(str(folder), str(number), dataclasses.replace(whole, terms=terms))
        found = Produced(np.arange(len(produced)), places, np.array(columns[2]), np.array(columns[4], np.uint8))
        gathering.add(str(folder), str(number), numbers, found)
    examples.write(str(folder), NOUNS, "key", gathering.examples())
    kept = examples.read(str(folder), NOUNS, "key")
    assert kept is not None
    assert examples.read(str(folder), NOUNS, "another key") is None
    assert examples.table([kept], Encoder(vocab)) == examples.table([gathering.examples()], Encoder(vocab))
    return [tuple(row.values()) for row in examples.table([kept], Encoder(vocab)).to_pylist()]


def test_examples__add_up_over_shards(tmp_path: Path) -> None:
    sofa, dog, gone = NOUN_IDS[:3]
    vocab = kept(nouns([[dog], [dog], [sofa]]), {NOUNS: 0})
    assert vocab is not None
    shards = [
        [("sofa", sofa, 2, ["a", "b"], 0b11), ("couch", sofa, 1, ["x", "c"], 0b10), ("gone", gone, 9, ["d"], 0b1)],
        [("couch", sofa, 4, ["c", "e"], 0b11), ("sofa", sofa, 1, ["f", "g"], 0b11), ("dog", dog, 1, ["h"], 0b1)],
    ]
    assert told(tmp_path, shards, vocab) == [
        (0, "dog", 1, ["h"]),
        (1, "couch", 5, ["c", "e"]),
        (1, "sofa", 3, ["a", "b", "f"]),
    ]


def test_examples__of_classes_alone_where_not_all_are_wanted(tmp_path: Path) -> None:
    ball, red = NOUN_IDS[0], ADJECTIVE_IDS[0]
    compound, other = red << COMPOUND_BITS | ball, red << COMPOUND_BITS | NOUN_IDS[1]
    vocab = kept([{NOUNS: [[ball]], COMPOUNDS: [[compound]]}], {NOUNS: 0, COMPOUNDS: 0})
    assert vocab is not None
    candidates.write(str(tmp_path), "x", shard([[("red:attribute", "ball")]]))
    pair = candidates.read_entries(str(tmp_path), "x").heads.tolist().index(0)
    gathering = Gathering(np.array([ball, compound]))
    found = Produced(np.array([pair, pair]), np.array([0, 1]), np.array([1, 1]), np.array([1, 1], np.uint8))
    gathering.add(str(tmp_path), "x", np.array([compound, other]), found)
    examples_found = gathering.examples()
    assert examples.table([examples_found], Encoder(vocab)).to_pylist() == [
        {"class_id": 1, "term": "red ball", "count": 1, "captions": ["caption 0"]}
    ]
    assert examples_found.tells(np.array([compound]))
    assert not examples_found.tells(np.array([ball, other]))


FAMILY_ROWS = {NOUNS: [[NOUN_IDS[0], NOUN_IDS[2]], [NOUN_IDS[2]], []]}


@given(shards=SHARDS)
def test_resolved__on_disk(tmp_path_factory: pytest.TempPathFactory, shards: list[Rows]) -> None:
    folder = str(tmp_path_factory.getbasetemp() / "resolved")
    for rows in shards:
        for family, written in resolved(rows).items():
            resolved_files.write(folder, "x", family, "key", written)
            assert resolved_files.read_labels(folder, "x", family, "another key") is None
            support = resolved_files.read_support(folder, "x", family, "key")
            read = resolved_files.read_labels(folder, "x", family, "key")
            assert support is not None
            assert read is not None
            assert [part.tolist() for part in support] == [written.numbers.tolist(), written.support.tolist()]
            assert read[0].tolist() == written.numbers.tolist()
            assert [part.tolist() for part in read[1]] == [part.tolist() for part in written.labels]
            assert np.all(np.diff(written.support) <= 0)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda _: b"", lambda data: data[:40] + b"?" + data[41:]])
def test_resolved__broken_is_as_good_as_none(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    resolved_files.write(str(tmp_path), "x", NOUNS, "key", resolved(FAMILY_ROWS)[NOUNS])
    assert resolved_files.read_produced(str(tmp_path), "x", NOUNS, "key") is not None
    file = tmp_path / f"x.{NOUNS}.resolved"
    file.write_bytes(change(file.read_bytes()))
    assert resolved_files.read_produced(str(tmp_path), "x", NOUNS, "key") is None
    assert resolved_files.read_labels(str(tmp_path), "x", ATTRIBUTES, "key") is None


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
    assert total.by_stage() == {"read": 1, "normalize": 0, "parse": 5, "label": 4, "write": 5}
