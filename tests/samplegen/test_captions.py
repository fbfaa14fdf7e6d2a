import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samplegen.captions import write_captions
from samplegen.emoji_nouns import NOUNS, Noun
from samplegen.relations import true_relations
from samplegen.scenes import Scene, compose_scene
from samplegen.things import Thing

SIZES = "small|little|tiny|big|large|huge|giant"
NOUN_BY_FORM = {form: noun for noun in NOUNS for form in (noun.singular, noun.plural)}
FORMS = "|".join(sorted(map(re.escape, NOUN_BY_FORM), key=len, reverse=True))
PHRASE = rf"(?:(an?|two|three|four) (?:({SIZES}) )?({FORMS}))\b"
SPATIAL = "to the left of|to the right of|above|below|on top of|next to|near|in front of|behind"
BACKGROUND = (
    r" (?:on|against) (an?) ((?:striped |dotted )?)(red|blue|green|yellow|pink|purple|brown|gray|white) background"
)
# The whole grammar once more, as a reader would write it down.
SENTENCE = re.compile(
    rf"(?:a picture of |an image of |there (?:is|are) )?{PHRASE}"
    rf"(?: (?:(?:is|are) )?(?:{SPATIAL}) {PHRASE})?"
    rf"(?:(?:,? with|,| and) {PHRASE}(?:, {PHRASE})*(?: and {PHRASE})?)?(?:{BACKGROUND})?"
)
NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}


@cache
def examples() -> list[tuple[Scene, tuple[str, ...]]]:
    """Scenes with their captions."""
    places = [(seed, index) for seed in (0, 7) for index in range(250)]
    scenes = [compose_scene(seed, 0, index) for seed, index in places]
    return [(scene, captions_of(scene, *place)) for scene, place in zip(scenes, places, strict=True)]


def captions_of(scene: Scene, seed: int, index: int) -> tuple[str, ...]:
    return write_captions(scene, np.random.default_rng((seed, index)))


def plain(caption: str) -> str:
    """`caption` without the full stop and the capital of a whole sentence."""
    return caption[0].lower() + caption[1:-1] if caption.endswith(".") else caption


def things_of(scene: Scene, noun: Noun) -> list[Thing]:
    return [thing for thing in scene.things if thing.noun == noun]


@given(st.integers(0, 2**30), st.integers(0, 10_000))
@settings(max_examples=100)
def test_write_captions__two_or_three_that_differ(seed: int, index: int) -> None:
    captions = captions_of(compose_scene(seed, 0, index), seed, index)
    assert 2 <= len(captions) <= 3
    assert len(set(captions)) == len(captions)


@given(st.integers(0, 2**30), st.integers(0, 10_000))
@settings(max_examples=200)
def test_write_captions__say_what_is_there(seed: int, index: int) -> None:
    scene = compose_scene(seed, 0, index)
    for place, caption in enumerate(captions_of(scene, seed, index)):
        text = plain(caption)
        assert SENTENCE.fullmatch(text), text
        named = re.findall(PHRASE, text)
        for number, size, form in named:
            things = things_of(scene, NOUN_BY_FORM[form])
            assert len(things) == NUMBERS[number], text
            assert form == (things[0].noun.singular if len(things) == 1 else things[0].noun.plural), text
            for thing in things:
                side = max(thing.width, thing.height)
                assert not (size in ("small", "little", "tiny") and side > 0.3), text
                assert not (size in ("big", "large", "huge", "giant") and side < 0.4), text
        nouns = [NOUN_BY_FORM[form] for _, _, form in named]
        assert len(set(nouns)) == len(nouns), text
        if place < 2:
            assert set(nouns) == {thing.noun for thing in scene.things}, text


@given(st.integers(0, 2**30), st.integers(0, 10_000))
@settings(max_examples=200)
def test_write_captions__spatial_words_are_true(seed: int, index: int) -> None:
    scene = compose_scene(seed, 0, index)
    for caption in captions_of(scene, seed, index):
        said = re.search(rf"{PHRASE} (?:is |are )?({SPATIAL}) {PHRASE}", plain(caption))
        if said:
            subjects, others = (things_of(scene, NOUN_BY_FORM[said[place]]) for place in (3, 7))
            assert said[4] in true_relations(subjects, others), caption


def test_write_captions__background_is_the_one_painted() -> None:
    num_said = 0
    for scene, captions in examples():
        for caption in captions:
            said = re.search(BACKGROUND, caption)
            num_said += said is not None
            if said:
                assert said[3] == scene.background.color
                texture = said[2].strip()
                assert texture == (
                    scene.background.texture if scene.background.texture in ("striped", "dotted") else ""
                )
    assert num_said > 250


def test_write_captions__articles_and_verbs_agree() -> None:
    for _, captions in examples():
        for caption in captions:
            for article, following in re.findall(r"\b([Aa]n?) (\w)", caption):
                assert (article.lower() == "an") == (following in "aeiou"), caption
            verb = re.search(rf"there (is|are) {PHRASE}", plain(caption)) or re.search(
                rf"{PHRASE} (is|are) ", plain(caption)
            )
            if verb:
                be = "is" if "is" in verb.groups() else "are"
                assert (be == "is") == (("a" in verb.groups()) or ("an" in verb.groups())), caption


@pytest.mark.parametrize("word", [*SPATIAL.split("|"), "There", "picture of", "with", "and", "two", "three", "four"])
def test_write_captions__forms_are_varied(word: str) -> None:
    captions = [caption for _, captions in examples() for caption in captions]
    assert sum(bool(re.search(rf"\b{word}\b", caption, re.IGNORECASE)) for caption in captions) >= 10
    assert 0.4 < sum(caption.endswith(".") for caption in captions) / len(captions) < 0.6
