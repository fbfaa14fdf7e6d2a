"""From a noun chunk to synsets: the labelers by name. A labeler sees one chunk at a time and keeps no state."""

import unicodedata
from collections.abc import Iterator, Set
from typing import NamedTuple

from labelgen.lexicon import Lexicon
from labelgen.nouns import Chunk, Word

DEFAULT = "noun-chunks"
NAMES = (DEFAULT,)

_NOUN_TAGS = frozenset({"NN", "NNS", "NNP", "NNPS"})
_PLURAL_TAGS = frozenset({"NNS", "NNPS"})
# Determiners, pronouns and numbers take no part in a term: "the street" is a lemma of Wall Street, "us" is not "u".
_NEVER_IN_A_TERM = frozenset({"DT", "PDT", "WDT", "PRP", "PRP$", "WP", "WP$", "EX", "CD"})


class Label(NamedTuple):
    """One synset that a chunk gave, and the term that it was found under."""

    synset: int
    term: str


def noun_chunks(chunk: Chunk, lexicon: Lexicon, stop_terms: Set[str] = frozenset()) -> Iterator[Label]:
    """The longest term that ends at the chunk's head, then longer terms (two words or more) among the words before.

    "a large polar bear" → polar bear; "a hot dog stand" → stand and hot dog; "a red bike" → bike. Each term gives the
    first of its senses, so synonyms meet in one synset. A chunk whose head is a pronoun or a number gives nothing,
    and neither does a term in `stop_terms`.
    """
    end = len(chunk)
    if chunk[-1].tag not in _NOUN_TAGS:
        return
    while end > 0:
        shortest = 1 if end == len(chunk) else 2
        for start in range(max(0, end - lexicon.longest_term_words), end - shortest + 1):
            words = chunk[start:end]
            # "a 12-year-old boy" is no old boy: several words do not begin inside a hyphenated one.
            if len(words) > 1 and start > 0 and chunk[start - 1].text == "-":
                continue
            if words[-1].tag not in _NOUN_TAGS or any(word.tag in _NEVER_IN_A_TERM for word in words):
                continue
            found = lexicon.find(_surface(words), words[-1].tag in _PLURAL_TAGS)
            if found is not None:
                if found[0] not in stop_terms:
                    yield Label(found[1][0], found[0])
                end = start
                break
        else:
            end -= 1


def _surface(words: tuple[Word, ...]) -> str:
    """Lower-case text of the words with the spaces that stood between them ("t-shirt" stays one).

    WordNet writes without accents ("cafe", "creme brulee"), so they are taken off.
    """
    text = "".join(word.text + " " * word.space_after for word in words).strip().lower()
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
