"""What a caption is after parsing: words with tags, and noun chunks."""

from typing import NamedTuple


class Word(NamedTuple):
    """One token: its text as written, its Penn tag, and whether a space follows."""

    text: str
    tag: str
    space_after: bool


class Parse(NamedTuple):
    """One caption. `chunks` are its noun chunks as ranges of words; the head is a chunk's last word."""

    words: tuple[Word, ...]
    chunks: tuple[tuple[int, int], ...]
