"""Scene → English sentences about it. Whatever a sentence says is true of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from samplegen.backgrounds import Background
from samplegen.emoji_nouns import Noun, with_article
from samplegen.relations import true_relations
from samplegen.scenes import Scene
from samplegen.things import Thing

_NUMBERS = {2: "two", 3: "three", 4: "four"}


@dataclass(frozen=True, slots=True)
class _Group:
    """All things of one noun in a scene."""

    noun: Noun
    things: tuple[Thing, ...]


def write_captions(scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """Two or three different captions. The first names everything; the last of three may leave something out."""
    groups = [
        _Group(noun, tuple(thing for thing in scene.things if thing.noun == noun))
        for noun in dict.fromkeys(thing.noun for thing in scene.things)
    ]
    wanted = int(rng.integers(2, 3, endpoint=True))
    captions: dict[str, None] = {}
    while len(captions) < wanted:
        order = [groups[i] for i in rng.permutation(len(groups))]
        named = order[: rng.integers(1, len(order), endpoint=True)] if len(captions) == 2 else order
        captions[_sentence(named, scene.background, rng)] = None
    return tuple(captions)


def _sentence(groups: Sequence[_Group], background: Background, rng: np.random.Generator) -> str:
    phrases = [_noun_phrase(group, rng) for group in groups]
    opening = rng.choice(["", "a picture of ", "an image of ", "there"], p=[0.4, 0.2, 0.1, 0.3])
    if opening == "there":
        opening = f"there {_be(groups[0])} "
    relations = true_relations(groups[0].things, groups[1].things) if len(groups) > 1 else []
    if relations and rng.random() < 0.75:
        verb = f" {_be(groups[0])}" if not opening and len(groups) == 2 and rng.random() < 0.5 else ""
        text = f"{phrases[0]}{verb} {rng.choice(relations)} {phrases[1]}"
        if phrases[2:]:
            # ", with": after "and" the spatial word would reach over the rest, of which it need not be true.
            text += f", with {_listed(phrases[2:])}"
    elif len(phrases) > 1 and rng.random() < 0.3:
        text = f"{phrases[0]} with {_listed(phrases[1:])}"
    else:
        text = _listed(phrases)
    if rng.random() < 0.35:
        texture = f"{background.texture} " if background.texture in ("striped", "dotted") else ""
        text += f" {rng.choice(['on', 'against'])} {with_article(f'{texture}{background.color} background')}"
    text = f"{opening}{text}"
    return f"{text[0].upper()}{text[1:]}." if rng.random() < 0.5 else text


def _noun_phrase(group: _Group, rng: np.random.Generator) -> str:
    """Like "a small dog" or "three apples"."""
    size = _size_word(group.things, rng) if rng.random() < 0.4 else ""
    if len(group.things) == 1:
        return with_article(f"{size}{group.noun.singular}")
    return f"{_NUMBERS[len(group.things)]} {size}{group.noun.plural}"


def _size_word(things: Sequence[Thing], rng: np.random.Generator) -> str:
    """A word, with a space after it, for how much of the picture's side each of `things` takes; "" for the middling."""
    sizes = [max(thing.width, thing.height) for thing in things]
    if max(sizes) < 0.28:
        return str(rng.choice(["small ", "little ", "tiny "]))
    if min(sizes) > 0.58:
        return str(rng.choice(["huge ", "giant "]))
    if min(sizes) > 0.42:
        return str(rng.choice(["big ", "large "]))
    return ""


def _be(group: _Group) -> str:
    return "is" if len(group.things) == 1 else "are"


def _listed(phrases: Sequence[str]) -> str:
    """Like "a dog, two cats and a car"."""
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}" if len(phrases) > 1 else phrases[0]
