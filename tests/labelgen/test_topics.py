"""What WordNet speaks of together with a sense."""

import numpy as np
import pytest

from labelgen.lexicon import Lexicon
from labelgen.senses import Senses
from labelgen.topics import Topics, Vector
from labelgen.wordnet import Pos, Synset


@pytest.fixture(scope="module")
def senses(lexicon: Lexicon, synsets: dict[int, Synset]) -> Senses:
    return Senses(lexicon, synsets)


@pytest.fixture(scope="module")
def topics(senses: Senses) -> Topics:
    return Topics(senses)


@pytest.fixture(scope="module")
def by_name(synsets: dict[int, Synset]) -> dict[str, int]:
    return {synset.name: synset.id for synset in synsets.values()}


def likeness(one: Vector, other: Vector) -> float:
    _, mine, theirs = np.intersect1d(one.words, other.words, return_indices=True)
    return float(one.weights[mine] @ other.weights[theirs])


def test_of_synset__sorted_and_of_length_one(topics: Topics, synsets: dict[int, Synset]) -> None:
    for synset in list(synsets)[::500]:
        vector = topics.of_synset(synset)
        assert vector.words.dtype == np.int32
        assert vector.weights.dtype == np.float32
        assert (np.diff(vector.words) > 0).all()
        assert (vector.weights >= 0).all()
        assert float(vector.weights @ vector.weights) == pytest.approx(1, abs=1e-5)
        assert vector.words.max() < topics.num_words


def test_of_synset__the_same_each_time(senses: Senses, by_name: dict[str, int]) -> None:
    names = ["dog.n.01", "crane.n.04", "run.v.01", "entity.n.01", "red.s.01"]
    found = []
    for _ in range(2):
        topics = Topics(senses)
        found.append([topics.of_synset(by_name[name]) for name in names])
    for one, again in zip(*found, strict=True):
        assert one.words.tolist() == again.words.tolist()
        assert one.weights.tolist() == again.weights.tolist()


def test_of_synset__names_itself(topics: Topics, by_name: dict[str, int]) -> None:
    vector = topics.of_synset(by_name["dog.n.01"])
    assert topics.id_of("dog") in vector.words


@pytest.mark.parametrize(
    ("sense", "like", "unlike"),
    [
        ("crane.n.05", "bird.n.01", "machine.n.01"),
        ("mouse.n.04", "computer.n.01", "cheese.n.01"),
        ("mouse.n.01", "rat.n.01", "keyboard.n.01"),
        ("bank.n.01", "river.n.01", "money.n.01"),
    ],
)
def test_of_synset__what_belongs_together_is_alike(
    topics: Topics, by_name: dict[str, int], sense: str, like: str, unlike: str
) -> None:
    vector = topics.of_synset(by_name[sense])
    assert likeness(vector, topics.of_synset(by_name[like])) > likeness(vector, topics.of_synset(by_name[unlike]))


def test_blend__is_a_weighted_sum(topics: Topics, by_name: dict[str, int]) -> None:
    dog = topics.of_synset(by_name["dog.n.01"])
    half = topics.blend([(by_name["dog.n.01"], 0.5)])
    assert set(half.words.tolist()) <= set(dog.words.tolist())
    weight_of = dict(zip(dog.words.tolist(), dog.weights.tolist(), strict=True))
    assert half.weights.tolist() == pytest.approx([weight_of[word] / 2 for word in half.words.tolist()])
    assert len(topics.blend([]).words) == 0


def test_size__counts_what_is_below(topics: Topics, synsets: dict[int, Synset], by_name: dict[str, int]) -> None:
    assert topics.size(by_name["entity.n.01"]) >= 74_000
    leaf = next(synset for synset in synsets if not topics.kinds(synset))
    assert topics.size(leaf) == 1
    dog = by_name["dog.n.01"]
    assert topics.size(dog) == 1 + sum(topics.size(kind) for kind in topics.kinds(dog))
    assert all(dog in synsets[kind].hypernyms for kind in topics.kinds(dog))


def test_background__is_everyday_things(topics: Topics, senses: Senses) -> None:
    words = topics.background()
    assert len(words) == len(set(words)) == 200
    assert {"man", "house", "door"} <= set(words)
    assert all(senses.share_seen(word, Pos.NOUN) > 0.5 for word in words)
