"""From parsed captions to terms, rule by rule; the parses of the first tests are written by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.terms import PARTITIVES, Dropped, Form, Mention, Role, Term, TermFinder
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import ChunkParser
from labelgen.parsing.parse import Parse, Word
from tests.labelgen.tagged import tagged


@pytest.fixture(scope="module")
def finder(lexicon: Lexicon) -> TermFinder:
    return TermFinder(lexicon)


def mentions(finder: TermFinder, parse: Parse) -> list[Mention]:
    return [found for found in finder.find(parse) if isinstance(found, Mention)]


def shown(mention: Mention) -> str:
    """ "dog", "red:attribute>dog", "rose(name)"."""
    term = mention.term
    form = f"({term.form.value})" if term.form else ""
    role = "" if term.role is Role.HEAD else f":{term.role.value}"
    return f"{term.text}{form}{role}{f'>{mention.of.text}' if mention.of else ''}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the longest term wins, and what stands before it modifies it
        ("[the/DT large/JJ polar/JJ bear/NN]", ["polar bear", "large:attribute>polar bear"]),
        ("[the/DT hot/JJ dog/NN stand/NN]", ["stand", "hot dog:modifier>stand"]),
        ("[the/DT Christmas/NNP tree/NN]", ["christmas tree"]),
        ("[birthday/NN cake/NN candles/NNS]", ["candle(counted)", "birthday cake:modifier>candle"]),
        ("[the/DT kitchen/NN wall/NN clock/NN]", ["wall clock", "kitchen:modifier>wall clock"]),
        # how it is counted
        ("[a/DT glass/NN]", ["glass(counted)"]),
        ("[two/CD dogs/NNS]", ["dog(counted)"]),
        ("[his/PRP$ dog/NN]", ["dog(counted)"]),
        ("[the/DT glass/NN]", ["glass"]),
        ("[glasses/NNS]", ["glasses(plural)"]),
        ("[geese/NNS]", ["goose(counted)"]),
        ("[the/DT boss/NN]", ["boss"]),
        # names
        ("[Rose/NNP]", ["rose(name)"]),
        ("[rose/NNP]", ["rose"]),
        ("[the/DT Eiffel/NNP Tower/NNP]", ["eiffel tower(name)"]),
        ("[the/DT New/NNP York/NNP skyline/NN]", ["skyline", "new york(name):modifier>skyline"]),
        # determiners, pronouns and numbers are in no term
        ("[the/DT street/NN]", ["street"]),
        ("[The/DT City/NNP]", ["city(capital)"]),
        ("[us/PRP]", []),
        ("[two/CD]", []),
        # hyphens
        ("[a/DT t/NN~ -/HYPH~ shirt/NN]", ["t-shirt(counted)"]),
        ("[a/DT 12/CD~ -/HYPH~ year/NN~ -/HYPH~ old/JJ boy/NN]", ["boy(counted)", "old:attribute>boy"]),
        ("[a/DT four/CD~ -/HYPH~ poster/NN]", ["four-poster(counted)"]),
        # possessives
        ("[The/DT dog/NN~ 's/POS bone/NN]", ["bone", "dog:modifier>bone"]),
        ("[the/DT men/NNS~ 's/POS room/NN]", ["men's room"]),
        # two words that WordNet writes as one
        ("[the/DT sky/NN scraper/NN]", ["skyscraper"]),
        ("[the/DT sun/NN glasses/NNS]", ["sunglasses(plural)"]),
        # over "of"
        ("[the/DT bird/NN] of/IN [prey/NN]", ["bird of prey"]),
        ("[two/CD birds/NNS] of/IN [prey/NN]", ["bird of prey"]),
        ("[the/DT pair/NN] of/IN [scissors/NNS]", ["pair of scissors"]),
        ("[the/DT cup/NN] of/IN [tea/NN]", ["cup", "tea"]),
        ("[a/DT group/NN] of/IN [people/NNS]", ["group(partitive)", "people(plural)"]),
        ("in/IN [the/DT middle/NN] of/IN [the/DT square/NN]", ["middle(partitive)", "square"]),
        ("[lots/NNS] of/IN [dogs/NNS]", ["lots(partitive)", "dog(counted)"]),
        ("[the/DT group/NN]", ["group"]),
        ("[the/DT middle/JJ group/NN]", ["group", "middle:attribute>group"]),
        # adjectives and verbs
        ("[the/DT small/JJ red/JJ dog/NN]", ["dog", "red:attribute>dog", "small:attribute>dog"]),
        ("[the/DT dog/NN] is/VBZ black/JJ", ["dog", "black:attribute"]),
        ("[the/DT biggest/JJS dog/NN]", ["dog", "big:attribute>dog"]),
        ("[the/DT dog/NN] has/VBZ been/VBN running/VBG", ["dog", "run:action"]),
        ("[a/DT running/VBG dog/NN]", ["dog(counted)", "run:action"]),
        # accents and curly quotes
        ("[the/DT café/NN]", ["cafe"]),
        ("[the/DT jack/NN~ -/HYPH~ o\u2019/NN~ -/HYPH~ lantern/NN]", ["jack-o'-lantern"]),
        ("[the/DT colour/NN]", ["colour"]),
        ("[the/DT smartphones/NNS]", ["smartphone(counted)"]),
        ("", []),
    ],
)  # fmt: skip
def test_find__terms(finder: TermFinder, text: str, expected: list[str]) -> None:
    assert [shown(mention) for mention in mentions(finder, tagged(text))] == expected


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("[the/DT xyzzy/NN]", Dropped("xyzzy", "no noun in WordNet")),
        ("[an/DT xyzzy/NN dog/NN]", Dropped("xyzzy", "no noun in WordNet")),
        ("[the/DT old/JJ]", Dropped("the old", "its last word is no noun")),
        ("[a/DT 12/CD~ -/HYPH~ year/NN~ -/HYPH~ olds/NNS]", Dropped("olds", "part of a hyphenated word")),
    ],
)
def test_find__says_what_it_drops(finder: TermFinder, text: str, dropped: Dropped) -> None:
    assert dropped in list(finder.find(tagged(text)))


def test_find__surface_is_what_was_written(finder: TermFinder) -> None:
    found = mentions(finder, tagged("[The/DT Hot/JJ Dogs/NNS] of/IN [two/CD Geese/NNS]"))
    assert [(mention.term.text, mention.surface) for mention in found] == [("hot dog", "hot dogs"), ("goose", "geese")]


TRAPS = {
    "people walking on the street": ["people", "street"],
    "a view of the city": ["view", "city"],
    "two men and a woman": ["men", "woman"],
    "his hands": ["hands"],
    "a woman with blue eyes": ["woman", "eyes"],
    "a man in pants": ["man", "pants"],
    "a pile of clothes": ["pile", "clothes"],
    "a boy with goggles": ["boy", "goggles"],
    "scissors on a table": ["scissors", "table"],
    "a pair of scissors": ["pair of scissors"],
    "two geese in a pond": ["goose", "pond"],
    "the boss at his desk": ["boss", "desk"],
    "a blue t-shirt": ["t-shirt"],
    "a player in a blue jersey": ["player", "jersey"],
    "a Christmas tree in New Jersey": ["christmas tree", "new jersey"],
    "a man on a bike": ["man", "bike"],
    "birds of prey in the sky": ["bird of prey", "sky"],
    "a cup of tea": ["cup", "tea"],
    "a hot dog with mustard": ["hot dog", "mustard"],
    "the Golden Gate Bridge at night": ["golden gate bridge", "night"],
    "black cat on a wall": ["black cat", "wall"],
    "A Man Riding A Horse On The Beach": ["man", "horse", "beach"],
    "POLAR BEAR ON THE ICE": ["polar bear", "ice"],
    "a colourful aeroplane over the harbour": ["aeroplane", "harbour"],
    "a man with a smartphone takes a selfie": ["man", "smartphone", "selfie"],
    "a swimming pool and a frying pan": ["swimming pool", "frying pan"],
    "a glass of orange juice": ["glass", "orange juice"],
    "compass on a table": ["compass", "table"],
    "a girl feeding pigeons": ["girl", "pigeon"],
    "a policeman grins": ["policeman"],
    "avocado and toast": ["avocado", "toast"],
    "a dog in front of a house": ["dog", "front", "house"],
    "a café terrace": ["terrace"],
    "he gave it to them": [],
    "🐕": [],
    "": [],
}


@pytest.mark.parametrize("caption", TRAPS)
def test_find__traps_of_real_captions(finder: TermFinder, chunk_parser: ChunkParser, caption: str) -> None:
    (parse,) = chunk_parser.parse([normalize(caption)[0]])
    found = [mention.term.text for mention in mentions(finder, parse) if mention.term.role is Role.HEAD]
    assert found == TRAPS[caption]


WORDS = st.builds(
    Word,
    st.sampled_from(
        ["hot", "dogs", "dog", "ice", "cream", "t", "-", "shirt", "Wall", "street", "the", "us", "", "狗", "men",
         "of", "bird", "birds", "prey", "group", "red", "running", "runs", "glasses", "é"]
    ),
    st.sampled_from(["NN", "NNS", "NNP", "DT", "JJ", "HYPH", "PRP", "CD", "VBG", "VBZ", "IN", "POS"]),
    st.booleans(),
)  # fmt: skip


@st.composite
def parses(draw: st.DrawFn) -> Parse:
    words = tuple(draw(st.lists(WORDS, max_size=12)))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    return Parse(words, tuple(pair for pair in pairwise(cuts) if draw(st.booleans())))


@given(parse=parses())
def test_find__invariants(finder: TermFinder, lexicon: Lexicon, parse: Parse) -> None:
    heads: set[Term] = set()
    for mention in mentions(finder, parse):
        term = mention.term
        assert lexicon.senses(term.text, term.pos)
        assert term.text == term.text.lower().strip() != ""
        assert (mention.of is None) or mention.of in heads or mention.of._replace(form=Form.PARTITIVE) in heads
        assert term.role is not Role.HEAD or mention.of is None
        assert term.form is not Form.PARTITIVE or PARTITIVES & {term.text, *lexicon.singulars(term.text)}
        assert term.role in (Role.HEAD, Role.MODIFIER) or term.form is Form.PLAIN
        heads |= {term} if term.role is Role.HEAD else set()


@given(parse=parses())
def test_find__keeps_no_state(finder: TermFinder, lexicon: Lexicon, parse: Parse) -> None:
    assert list(finder.find(parse)) == list(finder.find(parse)) == list(TermFinder(lexicon).find(parse))


def test_chunks__what_was_tried(finder: TermFinder) -> None:
    parse = tagged("[the/DT large/JJ polar/JJ bear/NN] on/IN [the/DT xyzzy/NN]")
    assert finder.chunks(parse) == [
        ("the large polar bear", ["large polar bear", "polar bear"]),
        ("the xyzzy", ["xyzzy"]),
    ]
