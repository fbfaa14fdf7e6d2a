"""Words as captions write them → terms of WordNet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon, spellings
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Folder, Pos


def test_singulars__are_nltks(nltk_wordnet: Any, lexicon_of_wordnet: Lexicon) -> None:  # noqa: ANN401
    lemmas = ["i", "z", *sorted(nltk_wordnet.all_lemma_names("n"))[::14]]
    endings = ("", "s", "es", "ses", "ves", "xes", "men", "ies", "ches")
    irregular = sorted(nltk_wordnet._exception_map["n"])
    surfaces = [*irregular, *(lemma + ending for lemma in lemmas for ending in endings)]
    different = {}
    for surface in surfaces:
        ours = lexicon_of_wordnet.singulars(surface.replace("_", " "))
        theirs = [form.replace("_", " ") for form in nltk_wordnet._morphy(surface, "n") if form != surface]
        if ours != theirs:
            different[surface] = (ours, theirs)
    assert different == {
        # Two lines of the exception list; NLTK keeps the last.
        "involucra": (["involucre"], []),
        # An ending alone is no word.
        "ies": (["ie"], ["ie", "y"]),
        "zes": ([], ["z"]),
    }


@pytest.mark.parametrize(("pos", "letter"), [(Pos.VERB, "v"), (Pos.ADJECTIVE, "a")])
def test_base__is_among_nltks(nltk_wordnet: Any, lexicon_of_wordnet: Lexicon, pos: Pos, letter: str) -> None:  # noqa: ANN401
    irregular = nltk_wordnet._exception_map[letter]
    stems = sorted(lemma for lemma in nltk_wordnet.all_lemma_names(letter) if lemma.isalpha())[::10]
    endings = {Pos.VERB: ("", "s", "es", "ed", "d", "ing"), Pos.ADJECTIVE: ("", "er", "est", "r", "st")}[pos]
    surfaces = [*irregular, *(stem + ending for stem in stems for ending in endings)]
    strange = {}
    for surface in surfaces:
        ours = lexicon_of_wordnet.base(surface.replace("_", " "), pos)
        theirs = [form.replace("_", " ") for form in nltk_wordnet._morphy(surface, letter)]
        if (ours is None) != (not theirs) or (theirs and ours not in theirs):
            strange[surface] = (ours, theirs)
    assert len(surfaces) > 2_000
    strange.pop("offer", None)  # "off" is too short a stem for NLTK
    assert strange == {}


@pytest.mark.parametrize(
    ("form", "pos", "base"),
    [
        ("ran", Pos.VERB, "run"),
        ("running", Pos.VERB, "run"),
        ("sits", Pos.VERB, "sit"),
        ("sitting", Pos.VERB, "sit"),
        ("lies", Pos.VERB, "lie"),
        ("left", Pos.VERB, "leave"),
        ("was", Pos.VERB, "be"),
        ("eat", Pos.VERB, "eat"),
        ("xyzzies", Pos.VERB, None),
        ("biggest", Pos.ADJECTIVE, "big"),
        ("redder", Pos.ADJECTIVE, "red"),
        ("larger", Pos.ADJECTIVE, "larger"),
        ("red", Pos.ADJECTIVE, "red"),
        ("striped", Pos.ADJECTIVE, "striped"),
        ("dog", Pos.ADJECTIVE, None),
        ("", Pos.ADJECTIVE, None),
    ],
)
def test_base__cases(lexicon: Lexicon, form: str, pos: Pos, base: str | None) -> None:
    assert lexicon.base(form, pos) == base


@pytest.mark.parametrize(
    ("surface", "plural", "term"),
    [
        ("dog", False, "dog"),
        ("dogs", True, "dog"),
        ("dogs", False, "dog"),
        ("men", True, "man"),
        ("women", True, "woman"),
        ("people", True, "person"),
        ("people", False, "people"),
        ("children", True, "child"),
        ("feet", True, "foot"),
        ("bus", False, "bus"),
        ("buses", True, "bus"),
        ("boss", False, "boss"),
        ("bosses", True, "boss"),
        ("geese", True, "goose"),
        ("mice", True, "mouse"),
        ("scissors", True, "scissors"),
        ("clothes", True, "clothes"),
        ("pajamas", True, "pajama"),
        ("polar bears", True, "polar bear"),
        ("birds of prey", True, None),  # the plural is in its first word: terms.py knows
        # ways to write one word
        ("t-shirt", False, "t-shirt"),
        ("t shirt", False, "t-shirt"),
        ("tshirt", False, "t-shirt"),
        ("ice-cream", False, "ice cream"),
        ("icecream", False, "icecream"),
        ("hot-dogs", True, "hot dog"),
        ("merry go round", False, "merry-go-round"),
        ("men's room", False, "men's room"),
        ("mens room", False, "men's room"),
        ("jack o lantern", False, "jack-o'-lantern"),
        ("skate board", False, None),  # two words where WordNet has one: terms.py joins them
        # British spellings
        ("colour", False, "colour"),
        ("theatres", True, "theatre"),
        ("doughnuts", True, "doughnut"),
        ("tyres", True, "tyre"),
        ("pyjamas", True, "pyjama"),
        ("colourist", False, "colorist"),
        ("favourites", True, "favourite"),
        ("tranquilliser", False, "tranquilliser"),
        ("moisturisers", True, None),
        ("jewellers", True, "jeweller"),
        # no terms
        ("glass-house", False, None),
        ("s", True, "s"),
        ("", False, None),
        (" ", False, None),
        ("-", False, None),
        ("xyzzy", True, None),
    ],
)
def test_find__cases(lexicon: Lexicon, surface: str, plural: bool, term: str | None) -> None:
    found = lexicon.find(surface, plural)
    assert (found and found[0]) == term


def test_find__gives_the_senses_of_its_term(lexicon: Lexicon) -> None:
    for surface in ("dogs", "t shirt", "colourist", "polar bear", "smartphone"):
        found = lexicon.find(surface, False)
        assert found is not None
        assert found[1] == lexicon.senses(found[0]) != ()


@given(words=st.lists(st.text("abcdeors-' .éß狗", max_size=6), max_size=3), plural=st.booleans())
def test_find__any_text_gives_a_term_or_nothing(lexicon: Lexicon, words: list[str], plural: bool) -> None:
    found = lexicon.find(" ".join(words), plural)
    assert found is None or (found[1] and found[1] == lexicon.senses(found[0]))


def test_find__synonyms_meet(lexicon: Lexicon, synsets: Synsets) -> None:
    names = {term: synsets[lexicon.senses(term)[0]].name for term in ("sofa", "couch", "airplane", "plane")}
    assert names["sofa"] == names["couch"] == "sofa.n.01"
    assert names["airplane"] == names["plane"] == "airplane.n.01"


def test_added_terms__stand_beside_wordnets(lexicon: Lexicon, lexicon_of_wordnet: Lexicon, synsets: Synsets) -> None:
    assert lexicon_of_wordnet.added == frozenset()
    assert lexicon_of_wordnet.find("smartphone", False) is None
    assert "smartphone" in lexicon.added
    assert [synsets[synset].name for synset in lexicon.senses("smartphone")] == ["cellular_telephone.n.01"]
    assert lexicon.find("smartphones", True) == ("smartphone", lexicon.senses("smartphone"))
    assert lexicon.senses("dog") == lexicon_of_wordnet.senses("dog")


def test_added_terms__take_a_synset_that_wordnet_has(wordnet_folder: Folder, synsets: Synsets) -> None:
    found = Lexicon.load(wordnet_folder, {"good boy": "dog.n.01", "dog": "hotdog.n.02"})
    assert [synsets[synset].name for term in ("good boy", "dog") for synset in found.senses(term)] == [
        "dog.n.01",
        "hotdog.n.02",
    ]
    assert found.find("good-boys", True) == ("good boy", found.senses("good boy"))
    assert found.added == {"good boy", "dog"}


@pytest.mark.parametrize(
    ("term", "is_thing"),
    [("dog", True), ("orange", True), ("bird of prey", True), ("water", True), ("idea", False), ("freedom", False),
     ("xyzzy", False)],
)  # fmt: skip
def test_is_thing__has_a_sense_that_can_be_touched(lexicon: Lexicon, term: str, is_thing: bool) -> None:
    assert lexicon.is_thing(term) is is_thing


def test_uses__one_for_each_sense_and_tagged_use(lexicon: Lexicon) -> None:
    dog = lexicon.senses("dog")
    assert lexicon.count("dog", dog[0]) == 42
    assert lexicon.uses("dog", Pos.NOUN) == len(dog) + sum(lexicon.count("dog", synset) for synset in dog)
    assert lexicon.uses("white", Pos.ADJECTIVE) > lexicon.uses("white", Pos.NOUN)
    assert lexicon.uses("xyzzy", Pos.VERB) == 0


@pytest.fixture(scope="module")
def longer_forms(lexicon: Lexicon) -> list[str]:
    """Forms of several words."""
    return [form for form in lexicon.noun_forms()[::11] if " " in form or "-" in form]


@given(st.data(), st.booleans())
def test_find__no_term_is_missed_for_its_first_word(
    lexicon: Lexicon, longer_forms: list[str], data: st.DataObject, plural: bool
) -> None:
    form = data.draw(st.sampled_from(longer_forms))
    word = data.draw(st.sampled_from(["", "the ", "colour ", "grey-haired "]))
    for surface in (form, f"{form}s", word + form, form.replace("-", " "), form.replace("or", "our")):
        told = (lexicon._find_form(spelling, plural) for spelling in spellings(surface))
        expected = next(filter(None, told), None)
        found = lexicon.find(surface, plural)
        assert (found and found[0]) == expected
