"""What WordNet speaks of together with a sense."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Pos
from labelgen.meaning.senses import Senses
from labelgen.meaning.topics import Topics, _strongest


@pytest.fixture(scope="module")
def senses(lexicon: Lexicon, synsets: Synsets) -> Senses:
    return Senses(lexicon, synsets)


@pytest.fixture(scope="module")
def topics(senses: Senses) -> Topics:
    return Topics(senses)


@pytest.fixture(scope="module")
def by_name(synsets: Synsets) -> dict[str, int]:
    return {synset.name: synset.id for synset in synsets.values()}


class Vector(NamedTuple):
    words: np.ndarray
    weights: np.ndarray


def of(topics: Topics, *synsets: int) -> list[Vector]:
    """The vectors of synsets, one by one."""
    vectors = topics.of_synsets(np.array(synsets, np.int64))
    return [Vector(*vectors.row(at)) for at in range(len(synsets))]


def likeness(one: Vector, other: Vector) -> float:
    _, mine, theirs = np.intersect1d(one.words, other.words, return_indices=True)
    return float(one.weights[mine] @ other.weights[theirs])


def test_of_synsets__sorted_and_of_length_one(topics: Topics, synsets: Synsets) -> None:
    for vector in of(topics, *list(synsets)[::500]):
        assert vector.words.dtype == np.int32
        assert vector.weights.dtype == np.float32
        assert 0 < len(vector.words) <= 128
        assert (np.diff(vector.words) > 0).all()
        assert (vector.weights >= 0).all()
        assert float(vector.weights @ vector.weights) == pytest.approx(1, abs=1e-5)
        assert vector.words.max() < topics.glosses.num_words


def test_of_synsets__each_is_the_same_whatever_is_asked_beside_it(
    topics: Topics, by_name: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [by_name[name] for name in ("dog.n.01", "crane.n.04", "run.v.01", "entity.n.01", "red.s.01")]
    together = of(topics, *asked)
    monkeypatch.setattr("labelgen.meaning.topics._BATCH", 2)
    for found in (of(topics, *asked), [of(topics, synset)[0] for synset in asked]):
        for one, again in zip(together, found, strict=True):
            assert one.words.tolist() == again.words.tolist()
            assert one.weights.tolist() == again.weights.tolist()


def test_of_synsets__names_itself(topics: Topics, by_name: dict[str, int]) -> None:
    assert topics.glosses.number("dog") in of(topics, by_name["dog.n.01"])[0].words


@pytest.mark.parametrize(
    ("sense", "like", "unlike"),
    [
        ("crane.n.05", "bird.n.01", "machine.n.01"),
        ("mouse.n.04", "computer.n.01", "cheese.n.01"),
        ("mouse.n.01", "rat.n.01", "keyboard.n.01"),
        ("bank.n.01", "river.n.01", "money.n.01"),
    ],
)
def test_of_synsets__what_belongs_together_is_alike(
    topics: Topics, by_name: dict[str, int], sense: str, like: str, unlike: str
) -> None:
    vector, alike, other = of(topics, by_name[sense], by_name[like], by_name[unlike])
    assert likeness(vector, alike) > likeness(vector, other)


def test_blend__is_a_weighted_sum(topics: Topics, by_name: dict[str, int]) -> None:
    dog = of(topics, by_name["dog.n.01"])[0]
    vectors = topics.of_synsets(np.array([by_name["dog.n.01"]], np.int64))
    half = topics.blend(vectors, np.array([1]), np.array([0]), np.array([0.5]), 3)
    assert np.diff(half.starts).tolist()[::2] == [0, 0]
    weight_of = dict(zip(dog.words.tolist(), dog.weights.tolist(), strict=True))
    assert len(half.words) == min(64, len(dog.words))
    assert half.weights.tolist() == pytest.approx([weight_of[word] / 2 for word in half.words.tolist()])


def test_relations__as_wordnet_has_them(topics: Topics, synsets: Synsets, by_name: dict[str, int]) -> None:
    relations = topics.relations
    entity, dog = (int(relations.places(np.array(by_name[name]))) for name in ("entity.n.01", "dog.n.01"))
    assert relations.size[entity] >= 74_000
    assert (relations.size[relations.kinds.lengths == 0] == 1).all()
    assert relations.size[dog] == 1 + relations.size[relations.kinds.row(dog)].sum()
    for place in range(0, len(relations.ids), 500):
        synset = synsets[int(relations.ids[place])]
        for name in ("hypernyms", "parts", "topics", "derived"):
            assert relations.ids[getattr(relations, name).row(place)].tolist() == list(getattr(synset, name))
        kinds = relations.ids[relations.kinds.row(place)].tolist()
        assert all(synset.id in synsets[kind].hypernyms for kind in kinds)


def test_background__is_everyday_things(topics: Topics, senses: Senses) -> None:
    words = topics.background()
    assert len(words) == len(set(words)) == 200
    assert {"man", "house", "door"} <= set(words)
    assert all(senses.share_seen(word, Pos.NOUN) > 0.5 for word in words)


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.5 + 1e-12, 3.0]), max_size=6), max_size=4),
    st.integers(1, 4),
)
def test_strongest__of_equals_the_first(weights: list[list[float]], at_most: int) -> None:
    rows = np.repeat(np.arange(len(weights)), [len(row) for row in weights])
    words = np.array([word for row in weights for word in range(len(row))], np.int64)
    flat = np.array([weight for row in weights for weight in row])
    found = _strongest(rows, words, flat, len(weights), at_most)
    for number, row in enumerate(weights):
        # As float32, half and a hair more than half are the same.
        expected = sorted(sorted(range(len(row)), key=lambda word: -np.float32(row[word]))[:at_most])
        chosen, strength = found.row(number)
        assert chosen.tolist() == expected
        assert strength.tolist() == [row[word] for word in expected]
