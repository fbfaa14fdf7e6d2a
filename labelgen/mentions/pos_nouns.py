"""The paper's own rule (equation 1): every word that is tagged as a noun, alone, by the first of its noun senses."""

from collections.abc import Iterable

from labelgen.dictionary.lexicon import Lexicon
from labelgen.parsing.nouns import Word

_NOUN_TAGS = frozenset({"NN", "NNS", "NNP", "NNPS"})
_PLURAL_TAGS = frozenset({"NNS", "NNPS"})


def pos_nouns(words: Iterable[Word], lexicon: Lexicon) -> list[tuple[str, Word]]:
    """The terms of a caption's words, each with the word it was found for, in their order and as often as they occur.

    A term means `lexicon.senses(term)[0]`. Words that are no nouns, and nouns that WordNet lacks, give nothing.
    """
    nouns = (
        (word, lexicon.find(word.text.lower(), word.tag in _PLURAL_TAGS)) for word in words if word.tag in _NOUN_TAGS
    )
    return [(found[0], word) for word, found in nouns if found is not None]
