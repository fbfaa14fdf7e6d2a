"""What the scenes are made of: pictures that the OpenMoji font draws, and the English nouns for them.

Every entry is one code point (ZWJ sequences need a text shaper that not every Pillow has). Every noun is one that
taggers know as a noun, whose plural has no entry of its own in WordNet (as "cows" has), and whose first WordNet sense
is roughly what the picture shows; "hot dog", first of all a person there, stands for the nouns where that rule fails.
"""

from dataclasses import dataclass

from emoji import EMOJI_DATA

_EMOJI = (
    *"🐕🐈🐎🦙🐖🐑🐐🐘🦒🦓🐪🦘🐒🐻🐼🦁🦊🐺🐇🐁🐿🦌🐊🐍🐸🐟🕷🐌🦋🐞🦆🦉🐧🦜🦩",
    *"🍎🍐🍊🍋🍓🍉🍍🍅🥕🍆🍄🍪🥨🥑🍔🍕🌭🥪🍨🎂🫖☕🍭",
    *"🚗🚌🚑🚒🚓🚜🏍🚲🛵✈🚁🚀⛵🛶",
    *"🪑🛏🚪🧸⏰💻📷🔑🪓🔪🪣🧹🧺🕯💡☂🎒🪥",
    *"🌵🌳🌴🌻🍁",
    *"⚽🎾🥊⛸👟👢🎩👗🧣",
    *"🎸🎻🎷🪗",
    *"🏠🏰⛺🎡",
)

# Where Unicode's name is not what people would say of the picture.
_SAID_INSTEAD = {
    "🐑": "sheep",
    "🐿": "squirrel",
    "🐞": "ladybug",
    "🍎": "apple",
    "🍊": "orange",
    "☕": "cup",
    "🚗": "car",
    "🔪": "knife",
    "🌳": "tree",
    "🍁": "leaf",
    "🎾": "tennis ball",
    "👢": "boot",
    "🎡": "Ferris wheel",
}

_IRREGULAR_PLURALS = {
    "cactus": "cacti",
    "deer": "deer",
    "fish": "fish",
    "knife": "knives",
    "leaf": "leaves",
    "mouse": "mice",
    "scarf": "scarves",
    "sheep": "sheep",
    "tomato": "tomatoes",
    "wolf": "wolves",
}


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of thing. `emoji`: the code point that draws it; the noun phrases carry no article."""

    emoji: str
    singular: str
    plural: str


def pluralize(singular: str) -> str:
    """The plural of a noun phrase whose last word is its head."""
    *modifiers, head = singular.split(" ")
    if head in _IRREGULAR_PLURALS:
        plural = _IRREGULAR_PLURALS[head]
    elif head.endswith(("s", "x", "ch", "sh")):
        plural = f"{head}es"
    elif head.endswith("y") and head[-2] not in "aeiou":
        plural = f"{head[:-1]}ies"
    else:
        plural = f"{head}s"
    return " ".join([*modifiers, plural])


def with_article(phrase: str) -> str:
    """`phrase` after "a" or "an". By spelling: no noun here begins with a silent h or a u that sounds like "you"."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _name(emoji: str) -> str:
    return _SAID_INSTEAD.get(emoji) or str(EMOJI_DATA[emoji]["en"]).strip(":").replace("_", " ")


NOUNS = tuple(Noun(emoji, _name(emoji), pluralize(_name(emoji))) for emoji in _EMOJI)

# The classes of the linear probe: look-alikes (dog, fox, wolf; apple, tomato, orange) beside easy ones.
_PROBED = "dog,cat,fox,wolf,bear,mouse,frog,duck,apple,orange,tomato,carrot,hamburger,car,bus,bicycle,airplane"
_PROBED += ",alarm clock,key,umbrella,sunflower,soccer ball,guitar,house"
PROBE_NOUNS = tuple(noun for noun in NOUNS if noun.singular in _PROBED.split(","))
