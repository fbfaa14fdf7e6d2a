"""The paper's own rule (equation 1): every word that is tagged as a noun, alone, by the first of its noun senses."""

from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.fragments import NOUN_TAGS
from labelgen.mentions.terms import PLURAL_TAGS
from labelgen.parsing.parse import Word


def pos_noun(word: Word, lexicon: Lexicon) -> str | None:
    """The term of a word of a caption: it means `lexicon.senses(term)[0]`.

    None for words that are no nouns, and for nouns that WordNet lacks.
    """
    found = lexicon.find(word.text.lower(), word.tag in PLURAL_TAGS) if word.tag in NOUN_TAGS else None
    return None if found is None else found[0]
