"""Where `Beginnings` says no, `Lexicon.find` and `TermFinder.of_term` find nothing: asked of all that WordNet has."""

from collections.abc import Iterator

import pytest

from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.beginnings import Beginnings
from labelgen.mentions.terms import TermFinder

_PLURALS = (("man", "men"), ("f", "ves"), ("y", "ies"), ("", "s"), ("", "es"))
_BRITISH = (("or", "our"), ("ter", "tre"), ("ize", "ise"))


@pytest.fixture(scope="module")
def beginnings(lexicon: Lexicon) -> Beginnings:
    return Beginnings(lexicon)


def ways_to_write(term: str) -> Iterator[str]:
    yield term
    for end, plural in _PLURALS:
        if term.endswith(end):
            yield term[: len(term) - len(end)] + plural
    for american, british in _BRITISH:
        if american in term:
            yield term.replace(american, british)


def test_may_begin__every_term_of_several_words(lexicon: Lexicon, beginnings: Beginnings) -> None:
    several = [form for form in lexicon.noun_forms() if " " in form]
    found = 0
    for surface in (surface for form in several[::3] for surface in ways_to_write(form)):
        if lexicon.find(surface, False) or lexicon.find(surface, True):
            first, second = surface.split(" ")[:2]
            assert beginnings.may_be_first(first), surface
            assert beginnings.may_be_second(second), surface
            assert beginnings.may_begin(first, second), surface
            found += 1
    assert found > 40_000


@pytest.mark.parametrize(("first", "second"), [("young", "men"), ("polar", "bears"), ("colour", "television")])
def test_may_begin__of_plurals_and_other_spellings(beginnings: Beginnings, first: str, second: str) -> None:
    assert beginnings.may_begin(first, second)
    assert not beginnings.may_begin(second, first)


def test_is_written_as_one__in_one_order(beginnings: Beginnings) -> None:
    assert beginnings.is_written_as_one("sun", "glasses")
    assert not beginnings.is_written_as_one("glass", "sun")


def test_may_go_on__every_thing_with_of(lexicon: Lexicon, beginnings: Beginnings) -> None:
    finder = TermFinder(lexicon)
    found = 0
    for thing in lexicon.things():
        before, of, after = thing.partition(" of ")
        first, _, rest = before.partition(" ")
        for surface in (thing, f"{first}s {rest} of {after}" if rest else f"{first}s of {after}"):
            if of and finder.of_term(surface) is not None:
                last, following = surface.partition(of)[0].split(" ")[-1], after.split(" ")[0]
                assert beginnings.may_follow_of(following), surface
                assert beginnings.may_go_on(last, following), surface
                found += 1
    assert found > 400
