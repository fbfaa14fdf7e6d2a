"""Terms of a candidate shard → synsets, family by family: where the sense policy and the choice of families act."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from labelgen.arrays.ragged import distinct_pairs, offsets, rank_in_row, unique_rows
from labelgen.candidates import Mentions
from labelgen.dictionary.hypernyms import Hypernyms
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.meaning import stoplist
from labelgen.meaning.corpus import Corpus, word_of
from labelgen.meaning.policies import NONE, Chooser
from labelgen.meaning.senses import Pins, Senses
from labelgen.mentions.terms import Role, Term
from labelgen.mentions.termtable import Entries, TermTable
from labelshards.schema import ACTIONS, ATTRIBUTES, COMPOUNDS, FAMILIES, HYPERNYMS, NOUNS

# A compound's number: the modifier's synset above these bits, the head's below.
COMPOUND_BITS = 32

_NO_FAMILY = -1

FAMILY_OF = {Role.HEAD: NOUNS, Role.MODIFIER: NOUNS, Role.ATTRIBUTE: ATTRIBUTES, Role.ACTION: ACTIONS}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the terms: everything that can be changed without parsing a caption again.

    senses: the policy. stoplist: leave out words about the picture itself. modifiers: label nouns that stand before
    another too ("kitchen table" → kitchen). families: family → its threshold; nouns are always there. hypernym_depth:
    how many steps up. pins: digest of the senses decided by hand.
    """

    senses: str
    stoplist: bool
    modifiers: bool
    families: dict[str, int]
    hypernym_depth: int
    pins: str


class Produced(NamedTuple):
    """Which entries of a shard gave which labels, by entry and then by label; P rows.

    entries, labels: int64 [P]; samples: int64 [P], in how many samples; examples: uint8 [P], bit i is set if the label
    is what the entry gave in the i-th of its examples.
    """

    entries: np.ndarray
    labels: np.ndarray
    samples: np.ndarray
    examples: np.ndarray


NOTHING = Produced(*(np.empty(0, np.int64) for _ in Produced._fields))


class Labels(NamedTuple):
    """(row, number) pairs, each once, by row and then by number: int64 [L] both.

    A number is a synset's, or that of a compound: modifier · 2^32 + head.
    """

    rows: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Labels of one shard's N samples, and what produced them, by family: each of those that were asked for."""

    num_rows: int
    by_family: dict[str, Labels]
    produced: dict[str, Produced]


class Language(NamedTuple):
    """WordNet, with what was added to it and decided by hand."""

    lexicon: Lexicon
    synsets: Synsets
    pins: Pins


def make_resolver(
    entries: Iterable[Entries], told: Iterable[Mentions], language: Language, choice: Choice
) -> "Resolver":
    """What decides the senses of a corpus: `entries` of all its shards, `told` the shards to count."""
    table = TermTable()
    for of_shard in entries:
        table.add(of_shard)
    terms = table.terms()
    corpus = count_corpus(table, told)
    senses = Senses(language.lexicon, language.synsets, language.pins)
    # Compounds are made of the senses of both words, which need not be labels themselves.
    families = set(choice.families) | ({NOUNS, ATTRIBUTES} if COMPOUNDS in choice.families else set())
    roles = {role for role, family in FAMILY_OF.items() if family in families}
    if not choice.modifiers and COMPOUNDS not in choice.families:
        roles.discard(Role.MODIFIER)
    return Resolver(choice, Chooser(choice.senses, senses, terms, corpus, roles), table, language.synsets)


def count_corpus(table: TermTable, told: Iterable[Mentions], more: Iterable[Term] = ()) -> Corpus:
    """The statistics of the samples `told`, whose terms `table` has. It knows the words of `more` terms, too."""
    terms = table.terms()
    corpus = Corpus(word for term in (*more, *terms) if (word := word_of(term)) is not None)
    words = [-1 if (word := word_of(term)) is None else corpus.words[word] for term in terms]
    of_term = np.array([*words, -1], np.int64)  # the last one is for terms that are unknown
    for shard in told:
        of_entry = np.where(shard.entries.heads < 0, of_term[table.numbers(shard.entries)], -1)
        numbers = of_entry[shard.values]
        num_rows = len(shard.offsets) - 1
        rows = np.repeat(np.arange(num_rows), np.diff(shard.offsets))[numbers >= 0]
        corpus.add(*unique_rows(rows, numbers[numbers >= 0], num_rows))
    return corpus


class Resolver:
    """Applies one choice to the shards of a corpus, whose terms `table` numbers as `chooser` does."""

    def __init__(self, choice: Choice, chooser: Chooser, table: TermTable, synsets: Synsets) -> None:
        self._choice = choice
        self._chooser = chooser
        self._table = table
        stopped = (choice.stoplist and stoplist.reason(term) is not None for term in chooser.terms)
        self._stopped = np.fromiter(stopped, bool, len(chooser.terms))
        families = (self._family(term) for term in chooser.terms)
        numbers = (_NO_FAMILY if family is None else FAMILIES.index(family) for family in families)
        self._families = np.fromiter(numbers, np.int64, len(chooser.terms))
        self._hypernyms = Hypernyms(synsets, choice.hypernym_depth)

    def resolve(self, shard: Mentions) -> Resolved:
        """The labels of one shard, before any is pruned, and what produced them."""
        entries, mentions = shard.entries, shard.values
        num_rows = len(shard.offsets) - 1
        rows = np.repeat(np.arange(num_rows), np.diff(shard.offsets))
        terms = self._table.numbers(entries)
        alone = (entries.heads < 0)[mentions]
        chosen = np.full(len(mentions), NONE, np.int64)
        starts = offsets(np.bincount(rows[alone], minlength=num_rows))
        # Pairs wait until their words have senses.
        chosen[alone] = self._chooser.choose(starts, terms[mentions[alone]])
        if COMPOUNDS in self._choice.families:
            self._pair(terms, entries.heads, rows, mentions, chosen)
        families = self._families_of(terms, entries.heads)[mentions]
        kept = (chosen != NONE) & (families != _NO_FAMILY)
        by_family, produced = {}, {}
        for family in self._choice.families:
            mine = kept & (families == FAMILIES.index(family))
            by_family[family] = Labels(*distinct_pairs(rows[mine], chosen[mine]))
            produced[family] = _produced(shard, rows[mine], mentions[mine], chosen[mine])
        if HYPERNYMS in self._choice.families:
            by_family[HYPERNYMS] = Labels(*self._hypernyms.of(*by_family[NOUNS]))
        return Resolved(num_rows=num_rows, by_family=by_family, produced=produced)

    def _pair(
        self, terms: np.ndarray, heads: np.ndarray, rows: np.ndarray, mentions: np.ndarray, chosen: np.ndarray
    ) -> None:
        """Fill in the compounds: both words have their senses by now, in this very sample."""
        alone = np.flatnonzero(heads < 0)
        alone = alone[np.argsort(terms[alone])]
        # Of each entry, the one that has its term by itself: of a pair, that of the modifier.
        modifiers = alone[np.minimum(np.searchsorted(terms[alone], terms), max(0, len(alone) - 1))]
        pairs = np.flatnonzero(heads[mentions] >= 0)
        keys = rows * len(heads) + mentions  # rising, as rows and a row's mentions are
        senses = []
        for part in (modifiers, heads):
            wanted = rows[pairs] * len(heads) + part[mentions[pairs]]
            senses.append(chosen[np.searchsorted(keys, wanted)])
        both = (senses[0] != NONE) & (senses[1] != NONE)
        chosen[pairs] = np.where(both, (senses[0] << COMPOUND_BITS) | senses[1], NONE)

    def _families_of(self, terms: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """int64 [E]: the place in FAMILIES of the family in which each entry is a label, or _NO_FAMILY."""
        # Terms that no shard was asked for are -1, and find what is appended.
        families: np.ndarray = np.append(self._families, _NO_FAMILY)[terms]
        stopped = np.append(self._stopped, False)[terms]
        pairs = np.flatnonzero(heads >= 0)
        families[pairs] = np.where(stopped[pairs] | stopped[heads[pairs]], _NO_FAMILY, FAMILIES.index(COMPOUNDS))
        return families

    def _family(self, term: Term) -> str | None:
        """The family in which a term by itself is a label, or None if it is none under this choice."""
        if self._choice.stoplist and stoplist.reason(term) is not None:
            return None
        if term.role is Role.MODIFIER and not self._choice.modifiers:
            return None
        family = FAMILY_OF[term.role]
        return family if family in self._choice.families else None


def _produced(shard: Mentions, rows: np.ndarray, mentions: np.ndarray, chosen: np.ndarray) -> Produced:
    """Which entries gave which labels. `rows` and each row's `mentions` rise."""
    given, labels = np.unique(chosen, return_inverse=True)
    keys, places, samples = np.unique(mentions * len(given) + labels, return_inverse=True, return_counts=True)
    entries, of_label = np.divmod(keys, max(1, len(given)))
    # Where an example of an entry stands among the mentions, and which example of its entry it is.
    of_entry = np.repeat(np.arange(len(shard.entries.heads)), shard.examples.lengths)
    width = len(shard.entries.heads)
    wanted = shard.examples.values * width + of_entry
    at = np.minimum(np.searchsorted(rows * width + mentions, wanted), max(0, len(rows) - 1))
    told = np.flatnonzero((rows * width + mentions)[at] == wanted) if len(rows) else np.empty(0, np.int64)
    bits = np.zeros(len(keys), np.uint8)
    # Not `|=`, for places come again: an entry has several examples.
    np.bitwise_or.at(bits, places[at[told]], np.left_shift(1, rank_in_row(of_entry)[told]).astype(np.uint8))
    return Produced(entries, given[of_label], samples, bits)
