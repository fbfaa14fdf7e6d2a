"""What can be told of a piece before its caption is looked at: its letters, and what WordNet knows of it."""

from typing import NamedTuple

from labelgen.mentions.fragments import Mender

_ENDINGS = ("ing", "ed", "ly", "er", "s")


class Features(NamedTuple):
    """kind: few hundred of them, among which pairs of neighbours are learnt. more: what else speaks for a piece."""

    kind: str
    own: tuple[str, ...]
    beside: tuple[str, ...]
    near: tuple[str, ...]


class Describer:
    """Pieces → features. `own` speak for the piece, `beside` for its two neighbours, `near` for those next to them."""

    def __init__(self, mender: Mender) -> None:
        self._mender = mender

    def describe(self, piece: str) -> Features:
        """`piece`: with the space before it."""
        text = piece.strip()
        word = text.lower()
        kind = f"kind={self._kind(text, word)}"
        name = f"word={word}"
        written = f"written={text}"
        space = f"space={piece.startswith(' ')}"
        own = (name, kind, written, space, f"ends2={word[-2:]}", f"ends3={word[-3:]}", f"begins3={word[:3]}")
        return Features(kind, own, (name, kind, written, space, f"ends3={word[-3:]}"), (name, kind))

    def _kind(self, text: str, word: str) -> str:
        """What WordNet knows, how it is written, and its ending; a mark is a kind of its own."""
        if not text[:1].isalnum():
            return text
        known = "".join(letter for letter, fact in zip("nptmav", self._mender.kinds(word), strict=True) if fact)
        case = "upper" if text.isupper() and len(text) > 1 else "capital" if text[:1].isupper() else "lower"
        letters = "letters" if text.isalpha() else "digit" if text[:1].isdigit() else "mixed"
        ending = next((ending for ending in _ENDINGS if word.endswith(ending)), "")
        return f"{known} {case} {letters} {ending}"
