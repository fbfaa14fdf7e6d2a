"""Whole batches give the entries that captions give one by one, however they are batched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill.labeler import Distilled
from labelgen.distill.table import Table
from labelgen.mentions.atonce import AllAtOnce
from labelgen.mentions.gather import Example, Gathered, Gatherer, OneByOne
from labelgen.mentions.reader import Captions
from labelgen.mentions.terms import Term
from tests.labelgen.shards import entries_of, examples_of

Pair = tuple[Term, Term | None]


def gathered(gatherer: Gatherer, samples: list[list[str]], cuts: list[int]) -> Gathered:
    for start, end in zip([0, *cuts], [*cuts, len(samples)], strict=True):
        texts = [text for sample in samples[start:end] for text in sample]
        gatherer.add(gatherer.parse(Captions(texts, texts)), texts, list(map(len, samples[start:end])))
    return gatherer.finish()


def named(found: Gathered) -> tuple[list[set[Pair]], dict[Pair, list[Example]]]:
    entries = entries_of(found.terms)
    pairs = [(each.term, None if each.head < 0 else entries[each.head].term) for each in entries]
    rows = [{pairs[number] for number in row} for row in found.mentions.to_pylist()]
    return rows, dict(zip(pairs, examples_of(found.terms), strict=True))


def test_all_at_once__finds_what_one_by_one_finds(lexicon: Lexicon, small_table: Table, captions: list[str]) -> None:
    samples = [captions[start : start + start % 3] for start in range(0, 600, 3)] + [["of the", "of the"], []]
    labeler = Distilled(lexicon, small_table.weights)
    ours = gathered(AllAtOnce(labeler), samples, [50, 70])
    theirs = gathered(OneByOne(labeler), samples, [])
    assert named(ours) == named(theirs)
    assert ours.num_without_noun == theirs.num_without_noun > 0
    assert all(examples_of(ours.terms))
    assert all(row == sorted(set(row)) for row in ours.mentions.to_pylist())


@pytest.fixture(scope="module")
def with_a_past(lexicon: Lexicon, small_table: Table) -> Distilled:
    return Distilled(lexicon, small_table.weights)


@pytest.fixture(scope="module")
def expected(lexicon: Lexicon, small_table: Table, captions: list[str]) -> Gathered:
    return gathered(AllAtOnce(Distilled(lexicon, small_table.weights)), samples_of(captions), [])


def samples_of(captions: list[str]) -> list[list[str]]:
    return [captions[start : start + start % 4] for start in range(0, 120, 2)]


@given(cuts=st.lists(st.integers(0, 60), max_size=4).map(sorted), past=st.integers(200, 1_000))
@settings(max_examples=25)
def test_all_at_once__does_not_depend_on_batches_or_on_the_past(
    with_a_past: Distilled, expected: Gathered, captions: list[str], cuts: list[int], past: int
) -> None:
    with_a_past.read(captions[past : past + 3])
    assert gathered(AllAtOnce(with_a_past), samples_of(captions), cuts) == expected


def test_all_at_once__examples_are_those_of_one_by_one(lexicon: Lexicon, small_table: Table) -> None:
    samples = [["a dog", "a dog", "a cat"], ["a dog"], ["the dog"], [], ["his dog", "a dog"], ["two cats", "a dog"]]
    labeler = Distilled(lexicon, small_table.weights)
    ours = gathered(AllAtOnce(labeler), samples, [1, 3])
    assert examples_of(ours.terms) == examples_of(gathered(OneByOne(labeler), samples, []).terms)


def test_all_at_once__nothing_is_nothing(labeler: Distilled) -> None:
    found = gathered(AllAtOnce(labeler), [], [])
    assert (len(found.mentions), len(found.terms), found.num_without_noun) == (0, 0, 0)
