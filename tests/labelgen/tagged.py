"""Parses written by hand: `tagged("[the/DT dogs/NNS] run/VBP")`, so that a rule is tested without a tagger."""

from labelgen.nouns import Parse, Word


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
