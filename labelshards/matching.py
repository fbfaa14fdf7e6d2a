"""Which classes of a vocabulary stand for the classes of some data, for zero-shot scores and for Transfer Init.

A vocabulary alone knows its ids, names and synonyms. WordNet knows more: `labelgen.audit.matching` gives the same
matches with what lies above, below and beside a class.
"""

from collections.abc import Callable, Sequence

import msgspec

from labelshards.vocabulary import Vocabulary

EXACT, SYNONYM, HYPONYMS, HYPERNYM, SIMILAR, NONE = KINDS = (
    "exact",
    "synonym",
    "hyponyms",
    "hypernym",
    "similar",
    "none",
)


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What stands for one class of the data.

    name: the data's. kind: EXACT, its id or the first name of a synset; SYNONYM, another of its names; HYPONYMS, kinds
    of it; HYPERNYM, what it is a kind of; SIMILAR, neighbours. class_ids: of the vocabulary, rising, [] of NONE;
    synsets: theirs. similarity: WordNet's path similarity, 1 / (1 + steps), to the nearest of them.
    """

    name: str
    kind: str = NONE
    class_ids: list[int] = []
    synsets: list[str] = []
    similarity: float = 0.0

    @classmethod
    def of(cls, name: str, kind: str, class_ids: Sequence[int], vocabulary: Vocabulary, steps: int = 0) -> "Match":
        """A match of some classes, so many steps away."""
        ids = sorted(class_ids)
        synsets = [vocabulary.synsets[each] for each in ids]
        return cls(name=name, kind=kind, class_ids=ids, synsets=synsets, similarity=round(1 / (1 + steps), 4))


# A match for each name, in their order.
Matcher = Callable[[Sequence[str], Vocabulary], list[Match]]


def match_names(names: Sequence[str], vocabulary: Vocabulary) -> list[Match]:
    """Match by ImageNet id, synset, name or synonym, without WordNet.

    Commas part the names of a class. Of several classes with the same name, nouns and then the more frequent come
    first: captions decided what they mean by it.
    """
    by_id = {name: class_id for each in (vocabulary.wnids, vocabulary.synsets) for class_id, name in enumerate(each)}
    firsts: dict[str, int] = {}
    others: dict[str, int] = {}
    for class_id in sorted(range(len(vocabulary)), key=lambda each: (not is_noun(vocabulary.wnids[each]), each)):
        first, *rest = vocabulary.lemmas[class_id]
        firsts.setdefault(plain(first), class_id)
        for lemma in rest:
            others.setdefault(plain(lemma), class_id)
    found = []
    for name in names:
        words = [plain(word) for word in name.split(",")]
        tried = ((EXACT, by_id, [name]), (EXACT, firsts, words), (SYNONYM, others, words))
        hits = [(kind, known[word]) for kind, known, keys in tried for word in keys if word in known]
        kind, class_id = hits[0] if hits else (NONE, -1)
        found.append(Match.of(name, kind, [class_id], vocabulary) if hits else Match(name=name))
    return found


def is_noun(wnid: str) -> bool:
    """True of a noun's id, false of other families' and of pairs of words."""
    return wnid.startswith("n") and "+" not in wnid


def plain(name: str) -> str:
    """As names are compared: lower case, single spaces."""
    return " ".join(name.lower().replace("_", " ").split())
