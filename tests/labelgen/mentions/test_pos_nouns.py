import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.mentions.pos_nouns import pos_noun
from labelgen.parsing.parse import Word


def words(tagged: str) -> list[Word]:
    """`words("the/DT dogs/NNS")`, each followed by a space."""
    pairs = (word.rsplit("/", 1) for word in tagged.split())
    return [Word(text, tag, True) for text, tag in pairs]


@pytest.mark.parametrize(
    ("tagged", "terms"),
    [
        ("two/CD dogs/NNS and/CC a/DT dog/NN", ["dog", "dog"]),
        ("a/DT polar/JJ bear/NN", ["bear"]),
        ("a/DT hot/JJ dog/NN stand/NN", ["dog", "stand"]),
        ("dogs/NNS run/VBP and/CC can/MD swim/VB", ["dog"]),
        ("a/DT morning/NN run/NN", ["morning", "run"]),
        ("two/CD Londons/NNPS in/IN Paris/NNP", ["london", "paris"]),
        ("men/NNS and/CC geese/NNS", ["man", "goose"]),
        ("men/NN", ["men"]),
        ("the/DT bus/NN and/CC the/DT boss/NN", ["bus", "boss"]),
        ("a/DT photo/NN of/IN the/DT bike/NN", ["photo", "bike"]),
        ("a/DT t-shirt/NN", ["t-shirt"]),
        ("us/PRP it/PRP red/JJ two/CD", []),
        ("an/DT xyzzy/NN", []),
        ("", []),
    ],
)
def test_pos_noun__terms(lexicon: Lexicon, tagged: str, terms: list[str]) -> None:
    assert [term for word in words(tagged) if (term := pos_noun(word, lexicon))] == terms


def test_pos_noun__first_sense(lexicon: Lexicon, synsets: Synsets) -> None:
    found = [pos_noun(word, lexicon) for word in words("Couches/NNS sofa/NN")]
    assert found == ["couch", "sofa"]
    assert {synsets[lexicon.senses(term)[0]].name for term in found if term} == {"sofa.n.01"}


@given(
    word=st.builds(
        Word,
        st.sampled_from(["dogs", "Dog", "MEN", "us", "the", "red", "t-shirt", "狗", "", " ", "new york", "s"]),
        st.sampled_from(["NN", "NNS", "NNP", "NNPS", "DT", "JJ", "PRP", "CD", "VBG", "_SP"]),
        st.booleans(),
    )
)
def test_pos_noun__only_nouns_that_wordnet_has(lexicon: Lexicon, word: Word) -> None:
    term = pos_noun(word, lexicon)
    if term is not None:
        assert word.tag.startswith("NN")
        assert lexicon.senses(term)
