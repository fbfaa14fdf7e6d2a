import numpy as np
import pytest
from emoji import EMOJI_DATA

from samplegen.emoji_nouns import NOUNS, PROBE_NOUNS, Noun, pluralize, with_article
from samplegen.glyphs import aspect, glyph


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("dog", "dogs"),
        ("fox", "foxes"),
        ("bus", "buses"),
        ("sandwich", "sandwiches"),
        ("toothbrush", "toothbrushes"),
        ("butterfly", "butterflies"),
        ("key", "keys"),
        ("monkey", "monkeys"),
        ("tomato", "tomatoes"),
        ("flamingo", "flamingos"),
        ("giraffe", "giraffes"),
        ("mouse", "mice"),
        ("knife", "knives"),
        ("leaf", "leaves"),
        ("scarf", "scarves"),
        ("wolf", "wolves"),
        ("cactus", "cacti"),
        ("sheep", "sheep"),
        ("fish", "fish"),
        ("deer", "deer"),
        ("birthday cake", "birthday cakes"),
        ("running shoe", "running shoes"),
    ],
)
def test_pluralize__as_english_does(singular: str, plural: str) -> None:
    assert pluralize(singular) == plural


@pytest.mark.parametrize(
    "phrase", ["an owl", "an ice skate", "an umbrella", "a small owl", "a Ferris wheel", "a house", "an accordion"]
)
def test_with_article__goes_by_sound(phrase: str) -> None:
    assert with_article(phrase.split(" ", 1)[1]) == phrase


def test_nouns__are_many_and_distinct() -> None:
    assert 100 <= len(NOUNS) <= 120
    for field in ("emoji", "singular", "plural"):
        assert len({getattr(noun, field) for noun in NOUNS}) == len(NOUNS)


def test_nouns__several_words_are_among_them() -> None:
    assert {"hot dog", "fire engine", "tennis ball", "ice cream", "alarm clock", "teddy bear"} <= {
        noun.singular for noun in NOUNS
    }


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: str(noun.singular))
def test_nouns__draw_one_emoji_in_colour(noun: Noun) -> None:
    assert len(noun.emoji) == 1
    assert noun.emoji in EMOJI_DATA
    picture = glyph(noun.emoji)
    assert min(picture.size) > 20
    assert max(picture.size) <= 200
    assert picture.getbbox() == (0, 0, *picture.size)
    assert aspect(noun.emoji) == picture.width / picture.height
    pixels = np.asarray(picture).reshape(-1, 4).astype(int)
    opaque = pixels[pixels[:, 3] > 250, :3]
    assert len(opaque) > 0.1 * len(pixels)
    # OpenMoji's outline is black; what it encloses is not. A font without colour would give black alone.
    assert (opaque.min(axis=1) < 30).any()
    assert (opaque.max(axis=1) > 90).mean() > 0.1


def test_glyphs__differ() -> None:
    assert len({glyph(noun.emoji).tobytes() for noun in NOUNS}) == len(NOUNS)


def test_probe_nouns__are_some_of_the_nouns() -> None:
    assert len(PROBE_NOUNS) == 24
    assert set(PROBE_NOUNS) <= set(NOUNS)
