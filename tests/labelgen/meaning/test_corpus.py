"""Counts of words and of pairs of them, against plain Python that says the same in a line."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.arrays.ragged import unique_rows
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning import corpus
from labelgen.meaning.corpus import Corpus, word_of
from labelgen.meaning.resolve import count_corpus
from labelgen.mentions.terms import Form, Role, Term
from labelgen.mentions.termtable import TermTable
from tests.labelgen.shards import shard

WORDS = [(text, Pos.NOUN) for text in "abcdefgh"]
ROWS = st.lists(st.sets(st.integers(0, len(WORDS) - 1)).map(sorted), max_size=10)


def packed(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.cumsum([0, *map(len, rows)]), np.array([word for row in rows for word in row], np.int64)


@given(shards=st.lists(ROWS, max_size=4))
def test_corpus__is_a_brute_force_count(shards: list[list[list[int]]]) -> None:
    corpus = Corpus(WORDS)
    for rows in shards:
        corpus.add(*packed(rows))
    rows = [row for rows in shards for row in rows]
    words = Counter(word for row in rows for word in row)
    together = Counter(pair for row in rows for pair in combinations(row, 2))
    assert corpus.num_samples == len(rows)
    assert corpus.support.tolist() == [words[number] for number in range(len(WORDS))]
    pairs = corpus.pairs()
    for word in range(len(WORDS)):
        others, counts = pairs.row(word)
        expected = {
            other: count
            for other in range(len(WORDS))
            if other != word and (count := together[min(word, other), max(word, other)])
        }
        assert others.tolist() == sorted(expected)
        assert counts.tolist() == [expected[other] for other in others.tolist()]


@given(rows=ROWS, block=st.integers(1, 9))
def test_pairs__are_the_same_in_whatever_blocks_they_are_made(rows: list[list[int]], block: int) -> None:
    found = []
    for num_at_once in (block, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(corpus, "_BLOCK", num_at_once)
            counted = Corpus(WORDS)
            counted.add(*packed(rows))
            pairs = counted.pairs()
        found.append([each.tolist() for each in (pairs.rows.starts, pairs.rows.values, pairs.counts)])
    assert found[0] == found[1]


@given(rows=ROWS, at=st.integers(0, 10))
def test_corpus__is_the_same_however_it_is_cut(rows: list[list[int]], at: int) -> None:
    whole, cut = Corpus(WORDS), Corpus(WORDS)
    whole.add(*packed(rows))
    cut.add(*packed(rows[at:]))
    cut.add(*packed(rows[:at]))
    assert whole.support.tolist() == cut.support.tolist()
    pairs_of_whole, pairs_of_cut = whole.pairs(), cut.pairs()
    for word in range(len(WORDS)):
        for mine, other in zip(pairs_of_whole.row(word), pairs_of_cut.row(word), strict=True):
            assert mine.tolist() == other.tolist()


def test_corpus__of_nothing() -> None:
    corpus = Corpus([])
    corpus.add(np.array([0, 0, 0]), np.empty(0, np.int64))
    assert corpus.num_samples == 2
    assert corpus.support.tolist() == []
    assert corpus.pairs().rows.starts.tolist() == [0]


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=30),
    num_rows=st.integers(6, 8),
)
def test_unique_rows__is_a_set_per_row(pairs: list[tuple[int, int]], num_rows: int) -> None:
    rows, values = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    offsets, found = unique_rows(rows, values, num_rows)
    assert [found[start:end].tolist() for start, end in pairwise(offsets)] == [
        sorted({value for row, value in pairs if row == number}) for number in range(num_rows)
    ]


def test_word_of__forms_are_one_word_and_partitives_none() -> None:
    assert (
        word_of(Term("glass", Role.HEAD, Form.COUNTED)) == word_of(Term("glass", Role.MODIFIER)) == ("glass", Pos.NOUN)
    )
    assert word_of(Term("red", Role.ATTRIBUTE)) == ("red", Pos.ADJECTIVE)
    assert word_of(Term("run", Role.ACTION)) == ("run", Pos.VERB)
    assert word_of(Term("group", Role.HEAD, Form.PARTITIVE)) is None


def test_count_corpus__each_once_a_sample() -> None:
    found = shard(
        [["dog", "dog::counted", "group::partitive"], [("red:attribute", "dog")], [], [("dog:modifier", "house")]]
    )
    mentions = found.mentioned()
    table = TermTable()
    table.add(mentions.entries)
    corpus = count_corpus(table, [mentions])
    assert corpus.num_samples == 4
    assert dict(zip(corpus.words, corpus.support.tolist(), strict=True)) == {
        ("dog", Pos.NOUN): 3,
        ("red", Pos.ADJECTIVE): 1,
        ("house", Pos.NOUN): 1,
    }
    others, counts = corpus.pairs().row(corpus.words["dog", Pos.NOUN])
    assert (len(others), counts.tolist()) == (2, [1, 1])
