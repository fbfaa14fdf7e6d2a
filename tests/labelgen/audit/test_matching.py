from typing import Any

import pytest

from labelgen.audit.matching import match_names
from labelgen.dictionary.lexicon import Lexicon
from labelgen.meaning.atlas import Atlas
from labelshards.matching import EXACT, HYPERNYM, HYPONYMS, NONE, SIMILAR, SYNONYM, Match
from tests.labelset_factory import vocabulary as invented
from tests.vocab_factory import make_vocabulary

CLASSES = {
    "dog.n.01": 50, "car.n.01": 40, "corgi.n.01": 30, "sofa.n.01": 9, "bench.n.01": 8, "love_seat.n.01": 7,
    "bus.n.01": 5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, lexicon: Lexicon) -> None:
    """Names are looked up in the lexicon that is there."""
    monkeypatch.setattr(Lexicon, "load", lambda *_: lexicon)


@pytest.mark.parametrize(
    ("name", "kind", "synsets", "similarity"),
    [
        ("dog", EXACT, ["dog.n.01"], 1.0),
        ("n02084071", EXACT, ["dog.n.01"], 1.0),
        ("dog.n.01", EXACT, ["dog.n.01"], 1.0),
        ("couch", SYNONYM, ["sofa.n.01"], 1.0),
        ("automobile", SYNONYM, ["car.n.01"], 1.0),
        # The love seat is a sofa, so it is not counted twice.
        ("seat.n.03", HYPONYMS, ["sofa.n.01", "bench.n.01"], 0.5),
        ("public_transport.n.01", HYPONYMS, ["bus.n.01"], 0.5),
        ("poodle", HYPERNYM, ["dog.n.01"], 0.5),
        ("golden retriever", HYPERNYM, ["dog.n.01"], 0.2),
        # A kind of corgi is nearer to it than to the dog above.
        ("Pembroke", HYPERNYM, ["corgi.n.01"], 0.5),
        ("wolf", SIMILAR, ["dog.n.01"], 0.3333),
        ("my dog", HYPERNYM, ["dog.n.01"], 0.5),
        ("idea", NONE, [], 0.0),
        ("n99999999", NONE, [], 0.0),
        ("xqzt", NONE, [], 0.0),
        ("0", NONE, [], 0.0),
    ],
)
def test_match_names__kinds(name: str, kind: str, synsets: list[str], similarity: float, atlas: Atlas) -> None:
    [found] = match_names([name], make_vocabulary(atlas, CLASSES), atlas)
    assert (found.name, found.kind, found.synsets, found.similarity) == (name, kind, synsets, similarity)


def test_match_names__similarity_is_nltks(atlas: Atlas, nltk_wordnet: Any) -> None:  # noqa: ANN401  (NLTK is untyped)
    for name in ("wolf.n.01", "poodle.n.01", "golden_retriever.n.01", "truck.n.01", "chair.n.01", "table.n.02"):
        [found] = match_names([name], make_vocabulary(atlas, CLASSES), atlas)
        other = nltk_wordnet.synset(found.synsets[0])
        if found.kind == SIMILAR:
            assert found.similarity == pytest.approx(nltk_wordnet.synset(name).path_similarity(other), abs=1e-3), name
        elif found.kind == HYPERNYM:
            assert other in nltk_wordnet.synset(name).closure(lambda each: each.hypernyms()), name


def test_match_names__a_vocabulary_of_other_words_is_matched_by_them(atlas: Atlas) -> None:
    found = match_names(["colour1", "colour7"], invented(3), atlas)
    assert [match.kind for match in found] == [EXACT, NONE]
    assert found[0] == Match(name="colour1", kind=EXACT, class_ids=[1], synsets=["colour1.n.01"], similarity=1.0)


def test_match_names__every_class_stands_for_itself(atlas: Atlas) -> None:
    vocab = make_vocabulary(atlas, CLASSES)
    for names in (vocab.wnids, vocab.synsets):
        assert [match.class_ids for match in match_names(names, vocab, atlas)] == [[k] for k in range(len(vocab))]
