"""What people call synsets."""

from dataclasses import dataclass

from labelshards.hierarchy import Hierarchy
from labelshards.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Words:
    """By WordNet name: a word for each synset, and what it is, where a vocabulary says so."""

    words: dict[str, str]
    glosses: dict[str, str]


def words_of(vocabulary: Vocabulary, hierarchy: Hierarchy | None) -> Words:
    """Of a vocabulary's classes, and of what stands above them."""
    above = dict(zip(hierarchy.synsets, hierarchy.words, strict=True)) if hierarchy else {}
    return Words(
        words=above | dict(zip(vocabulary.synsets, vocabulary.names, strict=True)),
        glosses=dict(zip(vocabulary.synsets, vocabulary.glosses, strict=True)),
    )
