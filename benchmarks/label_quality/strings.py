"""Names in captions as plain strings: whole words, singular or plural. What a labeler must do better than."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_IRREGULAR = {
    "person": "people", "child": "children", "mouse": "mice", "goose": "geese", "foot": "feet", "tooth": "teeth",
    "ox": "oxen", "knife": "knives", "leaf": "leaves", "loaf": "loaves", "shelf": "shelves", "wolf": "wolves",
    "calf": "calves", "scarf": "scarves",
}  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text in lower case; hyphens part words."""
    return _WORD.findall(text.lower())


def plurals(word: str) -> set[str]:
    """How the plural of a word may be spelt."""
    if word in _IRREGULAR:
        return {_IRREGULAR[word]}
    if word.endswith("man"):
        return {word[:-3] + "men"}
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return {word[:-1] + "ies"}
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return {word + "es"}
    return {word + "s", word + "es"} if word.endswith("o") else {word + "s"}


class Found(NamedTuple):
    """A name and the words of the text that it covers, from start to before end."""

    name: str
    start: int
    end: int


class Finder:
    """Finds names in texts. `names`: what is found → the ways in which it is written."""

    def __init__(self, names: dict[str, Iterable[str]]) -> None:
        self._names: dict[tuple[str, ...], list[str]] = {}
        for name, spellings in names.items():
            for spelling in spellings:
                *before, last = words(spelling)
                for form in {last} | plurals(last):
                    self._names.setdefault((*before, form), []).append(name)
        self._longest = max(map(len, self._names))

    def find(self, text: str) -> Iterator[Found]:
        """Every occurrence, also those that overlap."""
        tokens = words(text)
        for start in range(len(tokens)):
            for end in range(start + 1, min(len(tokens), start + self._longest) + 1):
                for name in self._names.get(tuple(tokens[start:end]), ()):
                    yield Found(name, start, end)
