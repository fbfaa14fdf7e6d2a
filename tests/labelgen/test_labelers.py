"""What the real labeler gives: for 200 nasty captions (golden file), and case by case.

golden/captions.json is written anew with CATLIP_UPDATE_GOLDEN=1; read the difference before you keep it.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import labelers, stoplist
from labelgen.lexicon import Lexicon, Synset
from labelgen.normalize import normalize
from labelgen.nouns import ChunkParser, Word

GOLDEN = Path(__file__).parent / "golden" / "captions.json"


class Labeler:
    """Captions → term → synset name, through the real rooms."""

    def __init__(self, parser: ChunkParser, lexicon: Lexicon, synsets: dict[int, Synset]) -> None:
        self._parser, self._lexicon, self._synsets = parser, lexicon, synsets

    def __call__(self, captions: list[str], *, stop: bool = True) -> list[dict[str, str]]:
        terms = stoplist.TERMS if stop else frozenset[str]()
        return [
            {
                label.term: self._synsets[label.synset].name
                for chunk in chunks
                for label in labelers.noun_chunks(chunk, self._lexicon, terms)
            }
            for chunks in self._parser.chunks([normalize(caption)[0] for caption in captions])
        ]


@pytest.fixture(scope="session")
def labeler(chunk_parser: ChunkParser, lexicon: Lexicon, synsets: dict[int, Synset]) -> Labeler:
    return Labeler(chunk_parser, lexicon, synsets)


def test_noun_chunks__golden(labeler: Labeler) -> None:
    entries: list[dict[str, Any]] = json.loads(GOLDEN.read_text())
    assert len(entries) >= 200
    found = labeler([entry["caption"] * entry.get("times", 1) for entry in entries])
    if os.environ.get("CATLIP_UPDATE_GOLDEN"):
        lines = [json.dumps({**entry, "labels": labels}) for entry, labels in zip(entries, found, strict=True)]
        GOLDEN.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    wrong = {
        entry["caption"]: (labels, entry["labels"])
        for entry, labels in zip(entries, found, strict=True)
        if labels != entry["labels"]
    }
    assert not wrong


@pytest.mark.parametrize(
    ("caption", "terms"),
    [
        ("a large polar bear", {"polar bear"}),
        ("a hot dog stand", {"stand", "hot dog"}),
        ("He gave it to them", set()),
        ("the street", {"street"}),
        ("two men", {"man"}),
        ("a picture frame", {"picture frame"}),
        ("a picture", set()),
        ("a 12-year-old boy", {"boy"}),
        ("a blue t-shirt", {"t-shirt"}),
        ("a café", {"cafe"}),
    ],
)
def test_noun_chunks__terms(labeler: Labeler, caption: str, terms: set[str]) -> None:
    assert set(labeler([caption])[0]) == terms


def test_noun_chunks__stop_list_can_be_left_out(labeler: Labeler) -> None:
    assert labeler(["a picture of a dog"], stop=False) == [{"picture": "picture.n.01", "dog": "dog.n.01"}]
    assert labeler(["a picture of a dog"]) == [{"dog": "dog.n.01"}]


WORDS = st.builds(
    Word,
    st.sampled_from(
        ["hot", "dogs", "dog", "ice", "cream", "t", "-", "shirt", "Wall", "street", "the", "us", "", "狗", "men"]
    ),
    st.sampled_from(["NN", "NNS", "NNP", "DT", "JJ", "HYPH", "PRP", "CD", "VBG"]),
    st.booleans(),
)


@given(chunk=st.lists(WORDS, min_size=1, max_size=12).map(tuple))
def test_noun_chunks__invariants(lexicon: Lexicon, synsets: dict[int, Synset], chunk: tuple[Word, ...]) -> None:
    for label in labelers.noun_chunks(chunk, lexicon):
        assert label.synset == lexicon.senses(label.term)[0]
        assert label.synset in synsets
        assert label.term == label.term.lower()
        assert chunk[-1].tag.startswith("NN")
    assert not list(labelers.noun_chunks((*chunk, Word("them", "PRP", False)), lexicon))


def test_stoplist__terms_are_known_to_wordnet(lexicon: Lexicon) -> None:
    unknown = {term for term in stoplist.TERMS if not lexicon.senses(term)}
    assert unknown == set()
