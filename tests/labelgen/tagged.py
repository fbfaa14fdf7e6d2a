"""Parses written by hand: `tagged("[the/DT dogs/NNS] run/VBP")`, so that a rule is tested without a tagger."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import strategies as st

from labelgen.arrays.numbers import Numbers
from labelgen.parsing.fastparse.parser import FastParser
from labelgen.parsing.parse import Parse, Word, one_by_one


def parses_of(parser: FastParser, texts: Sequence[str]) -> list[Parse]:
    """What it makes of texts, one by one."""
    numbers = Numbers[Word]()
    return one_by_one(parser.parse_all(texts, numbers), numbers.known)


def tagged(text: str) -> Parse:
    """Words with their tags and a space after each but the last; brackets are noun chunks.

    A word that ends in `~` (after its tag) has no space after it: "t/NN~ -/HYPH~ shirt/NN".
    """
    words: list[Word] = []
    chunks: list[tuple[int, int]] = []
    start = 0
    pieces = text.split()
    for piece in pieces:
        if piece.startswith("["):
            start = len(words)
        word, _, tag = piece.strip("[]~").rpartition("/")
        words.append(Word(word, tag, "~" not in piece and len(words) < len(pieces) - 1))
        if "]" in piece:
            chunks.append((start, len(words)))
    return Parse(tuple(words), tuple(chunks))


def written(parse: Parse) -> str:
    """The other way round."""
    starts, ends = {start for start, _ in parse.chunks}, {end for _, end in parse.chunks}
    last = len(parse.words) - 1
    return " ".join(
        "[" * (at in starts)
        + f"{word.text}/{word.tag}"
        + "~" * (not word.space_after and at < last)
        + "]" * (at + 1 in ends)
        for at, word in enumerate(parse.words)
    )


_WORDS = st.builds(
    Word,
    st.sampled_from(
        ["hot", "dog", "dogs", "ice", "cream", "t", "-", "\u2013", "shirt", "Wall", "street", "the", "a", "four", "",
         "\u72d7", "of", "Of", "bird", "birds", "prey", "lord", "misrule", "group", "red", "Rose", "running",
         "swimming", "pool", "grins", "compass", "girl", "feeding", "stop", "sign", "glasses", "caf\u00e9", "12", ",",
         "can", "safe"]
    ),
    st.sampled_from(
        ["NN", "NNS", "NNP", "DT", "JJ", "HYPH", "PRP", "PRP$", "CD", "VB", "VBD", "VBG", "VBZ", "IN", "CC", ",", "MD",
         "UH", "RB", "POS", ""]
    ),
    st.booleans(),
)  # fmt: skip


@st.composite
def salads(draw: st.DrawFn) -> Parse:
    """Words that belong together in no sentence, under tags and in chunks that no tagger gave."""
    words = tuple(draw(st.lists(_WORDS, max_size=12)))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    return Parse(words, tuple(pair for pair in pairwise(cuts) if draw(st.booleans())))
