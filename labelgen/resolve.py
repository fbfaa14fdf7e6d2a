"""Terms of a candidate shard → synsets, family by family: where the sense policy and the choice of families act."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from labelgen import stoplist
from labelgen.candidates import CandidateShard, Entry
from labelgen.corpus import Corpus, unique_rows, word_of
from labelgen.lexicon import Lexicon
from labelgen.policies import NONE, Chooser
from labelgen.senses import Pins, Senses
from labelgen.terms import Role, Term
from labelgen.wordnet import Synset
from labelshards.schema import ACTIONS, ATTRIBUTES, COMPOUNDS, HYPERNYMS, NOUNS

# A compound's number: the modifier's synset above these bits, the head's below.
COMPOUND_BITS = 32

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
    """A term that gave a label: the label's number, the term, in how many samples, and a few of their captions."""

    label: int
    text: str
    samples: int
    captions: list[str]


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Labels of one shard's N samples. by_family: family → (rows int64 [L], numbers int64 [L]), unique and rising.

    A number is a synset's, or that of a compound: modifier · 2^32 + head.
    """

    by_family: dict[str, tuple[np.ndarray, np.ndarray]]
    produced: list[Produced]


class Language(NamedTuple):
    """WordNet, with what was added to it and decided by hand."""

    lexicon: Lexicon
    synsets: Mapping[int, Synset]
    pins: Pins


def make_resolver(
    entries: Iterable[Iterable[Entry]], told: Iterable[CandidateShard], language: Language, choice: Choice
) -> "Resolver":
    """What decides the senses of a corpus: `entries` of all its shards, `told` the shards to count."""
    terms = list(dict.fromkeys(entry.term for of_shard in entries for entry in of_shard))
    corpus = Corpus(word for term in terms if (word := word_of(term)) is not None)
    for shard in told:
        count_words(corpus, shard)
    senses = Senses(language.lexicon, language.synsets, language.pins)
    families = set(choice.families) if COMPOUNDS not in choice.families else {NOUNS, ATTRIBUTES}
    roles = [role for role, family in FAMILY_OF.items() if family in families | set(choice.families)]
    return Resolver(choice, Chooser(choice.senses, senses, terms, corpus, roles), language.synsets)


def count_words(corpus: Corpus, shard: CandidateShard) -> None:
    """Add the samples of a shard to the statistics of a corpus."""
    offsets, mentions = shard.rows()
    words = [word_of(entry.term) if entry.head < 0 else None for entry in shard.entries]
    numbers = np.array([-1 if word is None else corpus.words[word] for word in words], np.int64)[mentions]
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[numbers >= 0]
    corpus.add(*unique_rows(rows, numbers[numbers >= 0], len(offsets) - 1))


class Resolver:
    """Applies one choice to the shards of a corpus whose terms `chooser` knows."""

    def __init__(self, choice: Choice, chooser: Chooser, synsets: Mapping[int, Synset]) -> None:
        self._choice = choice
        self._chooser = chooser
        self._synsets = synsets
        self._numbers = {term: number for number, term in enumerate(chooser.terms)}
        self._above: dict[int, np.ndarray] = {}

    def resolve(self, shard: CandidateShard) -> Resolved:
        """The labels of one shard, before any is pruned; what produced them, if the shard was read with examples."""
        offsets, entries = shard.rows()
        rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        alone = np.array([entry.head < 0 for entry in shard.entries], bool)
        chosen = np.full(len(entries), NONE, np.int64)
        chosen[alone[entries]] = self._senses(shard.entries, rows, entries, alone, len(offsets) - 1)
        if COMPOUNDS in self._choice.families:
            self._pair(shard.entries, rows, entries, chosen)
        families = np.array([self._family(entry, shard.entries) or "" for entry in shard.entries], object)
        kept = (chosen != NONE) & (families[entries] != "")
        by_family = {
            family: _unique(rows[mine], chosen[mine])
            for family in self._choice.families
            if family != HYPERNYMS and (mine := kept & (families[entries] == family)).any()
        }
        if HYPERNYMS in self._choice.families and NOUNS in by_family:
            by_family[HYPERNYMS] = self._ancestors(*by_family[NOUNS])
        wanted = any(shard.examples)
        produced = self._produced(shard, rows, entries, chosen, kept) if wanted else []
        return Resolved(by_family=by_family, produced=produced)

    def _senses(
        self, entries: Sequence[Entry], rows: np.ndarray, mentions: np.ndarray, alone: np.ndarray, num_rows: int
    ) -> np.ndarray:
        """The synset of every mention that is a term by itself."""
        numbers = np.array([self._numbers.get(entry.term, -1) for entry in entries], np.int64)
        mine = alone[mentions]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[mine], minlength=num_rows))])
        return self._chooser.choose(offsets, numbers[mentions[mine]])

    def _pair(self, entries: Sequence[Entry], rows: np.ndarray, mentions: np.ndarray, chosen: np.ndarray) -> None:
        """Fill in the compounds: both words have their senses by now, in this very sample."""
        alone = {entry.term: number for number, entry in enumerate(entries) if entry.head < 0}
        modifier = np.array([alone[entry.term] for entry in entries], np.int64)
        head = np.array([entry.head for entry in entries], np.int64)
        pairs = np.flatnonzero(head[mentions] >= 0)
        keys = rows * len(entries) + mentions  # rising, as rows and a row's mentions are
        senses = []
        for part in (modifier, head):
            wanted = rows[pairs] * len(entries) + part[mentions[pairs]]
            senses.append(chosen[np.searchsorted(keys, wanted)])
        both = (senses[0] != NONE) & (senses[1] != NONE)
        chosen[pairs] = np.where(both, (senses[0] << COMPOUND_BITS) | senses[1], NONE)

    def _family(self, entry: Entry, entries: Sequence[Entry]) -> str | None:
        """The family in which an entry is a label, or None if it is none under this choice."""
        if self._is_stopped(entry.term):
            return None
        if entry.head >= 0:
            return None if self._is_stopped(entries[entry.head].term) else COMPOUNDS
        if entry.term.role is Role.MODIFIER and not self._choice.modifiers:
            return None
        family = FAMILY_OF[entry.term.role]
        return family if family in self._choice.families else None

    def _is_stopped(self, term: Term) -> bool:
        return self._choice.stoplist and stoplist.reason(term) is not None

    def _ancestors(self, rows: np.ndarray, synsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, synsets above those given), each once a row."""
        above = [self._ancestors_of(int(synset)) for synset in synsets]
        lengths = [len(found) for found in above]
        return _unique(np.repeat(rows, lengths), np.concatenate([np.empty(0, np.int64), *above]))

    def _ancestors_of(self, synset: int) -> np.ndarray:
        if synset not in self._above:
            found: dict[int, None] = {}
            level: list[int] = [synset]
            for _ in range(self._choice.hypernym_depth):
                level = [above for at in level for above in self._synsets[at].hypernyms]
                found.update(dict.fromkeys(level))
            self._above[synset] = np.array(list(found), np.int64)
        return self._above[synset]

    def _produced(
        self, shard: CandidateShard, rows: np.ndarray, mentions: np.ndarray, chosen: np.ndarray, kept: np.ndarray
    ) -> list[Produced]:
        """Which entries gave which labels, by entry."""
        order = np.lexsort((chosen[kept], mentions[kept]))
        entries, labels = mentions[kept][order], chosen[kept][order]
        starts = np.flatnonzero(np.diff(entries, prepend=-1) | np.diff(labels, prepend=-1))
        counts = np.diff(starts, append=len(entries))
        sense_in = dict(zip(zip(rows.tolist(), mentions.tolist(), strict=True), chosen.tolist(), strict=True))
        produced = []
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            entry, label = int(entries[start]), int(labels[start])
            captions = [told.caption for told in shard.examples[entry] if sense_in.get((told.row, entry)) == label]
            produced.append(Produced(label, _text(shard.entries, entry), count, captions))
        return produced


def _text(entries: Sequence[Entry], number: int) -> str:
    entry = entries[number]
    return entry.term.text if entry.head < 0 else f"{entry.term.text} {entries[entry.head].term.text}"


def _unique(rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs, each once, by row and then by number."""
    order = np.lexsort((numbers, rows))
    rows, numbers = rows[order], numbers[order]
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(rows) != 0) | (np.diff(numbers) != 0)
    return rows[new], numbers[new]
