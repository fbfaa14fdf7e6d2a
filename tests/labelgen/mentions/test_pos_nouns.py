import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.mentions.pos_nouns import pos_nouns
from labelgen.parsing.nouns import Word


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
def test_pos_nouns__terms(lexicon: Lexicon, tagged: str, terms: list[str]) -> None:
    assert [term for term, _ in pos_nouns(words(tagged), lexicon)] == terms


def test_pos_nouns__first_sense_and_its_word(lexicon: Lexicon, synsets: Synsets) -> None:
    found = pos_nouns(words("Couches/NNS face/VBP the/DT sofa/NN"), lexicon)
    assert found == [("couch", Word("Couches", "NNS", True)), ("sofa", Word("sofa", "NN", True))]
    assert {synsets[lexicon.senses(term)[0]].name for term, _ in found} == {"sofa.n.01"}


@given(
    caption=st.lists(
        st.builds(
            Word,
            st.sampled_from(["dogs", "Dog", "MEN", "us", "the", "red", "t-shirt", "狗", "", " ", "new york", "s"]),
            st.sampled_from(["NN", "NNS", "NNP", "NNPS", "DT", "JJ", "PRP", "CD", "VBG", "_SP"]),
            st.booleans(),
        )
    )
)
def test_pos_nouns__words_count_alone_and_only_as_nouns(lexicon: Lexicon, caption: list[Word]) -> None:
    found = pos_nouns(caption, lexicon)
    assert found == [pair for word in caption for pair in pos_nouns([word], lexicon)]
    for term, word in found:
        assert word.tag.startswith("NN")
        assert lexicon.senses(term)
