"""Decisions of a person (edit.py) applied to the labels of a shard before any is pruned."""

from collections.abc import Callable
from functools import cache, lru_cache

import msgspec
import numpy as np

from labelgen import candidates
from labelgen.arrays.ragged import Rows, contains, distinct, distinct_pairs
from labelgen.candidates import Mentions, Texts
from labelgen.classes.edit import GONE, Edit, Edits
from labelgen.meaning.atlas import read_atlas
from labelgen.meaning.resolve import NOTHING, Labels, Produced
from labelgen.meaning.resolved import ResolvedShard, pack_labels
from labelgen.meaning.unpruned import Unpruned
from labelshards import storage
from labelshards.schema import HYPERNYMS


class Edited:
    """What `unpruned` says of shards, after the decisions of `edit`. Methods as there."""

    def __init__(self, unpruned: Unpruned, folder: str, edit: Edit) -> None:
        """folder: where the candidates are. Raises CatlipError as Edits does."""
        self._unpruned, self._folder, self._edit = unpruned, folder, edit
        self._edits = Edits(edit, read_atlas())
        # Two questions are asked of each shard, the first one when the shard before it still waits for its second.
        self._families = lru_cache(maxsize=2)(self._apply)

    def key(self, family: str) -> str:
        """What decides the labels of a family."""
        return storage.digest(msgspec.json.encode([self._unpruned.key(family), self._edit]))

    def support(self, name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Family → (int64 numbers, int64 samples that have each).

        Merging may bring a label into another's family, so a sample counts that has it in any; hypernyms, which have
        their kinds' samples, are counted apart.
        """
        found = self._families(name)
        narrow = [shard for family, shard in found.items() if family != HYPERNYMS]
        rows = [np.repeat(np.arange(len(each.labels.lengths)), each.labels.lengths) for each in narrow]
        numbers = [each.numbers[each.labels.values] for each in narrow]
        known, samples = np.unique(distinct_pairs(np.concatenate(rows), np.concatenate(numbers))[1], return_counts=True)
        return {
            family: (
                shard.numbers,
                shard.support if family == HYPERNYMS else samples[np.searchsorted(known, shard.numbers)],
            )
            for family, shard in found.items()
        }

    def labels(self, name: str) -> dict[str, tuple[np.ndarray, Rows]]:
        """Family → (int64 numbers, places among them: a row a sample)."""
        return {family: (shard.numbers, shard.labels) for family, shard in self._families(name).items()}

    def produced(self, name: str, family: str) -> tuple[np.ndarray, Produced]:
        """(int64 numbers, which entries gave which of them) for one family."""
        shard = self._families(name)[family]
        return shard.numbers, shard.produced

    def _apply(self, name: str) -> dict[str, ResolvedShard]:
        texts = candidates.read_texts(self._folder, name)
        mentions = cache(lambda: candidates.read_mentions(self._folder, name))
        found = {}
        for family, (numbers, labels) in self._unpruned.labels(name).items():
            of_produced, produced = self._unpruned.produced(name, family)
            rows = np.repeat(np.arange(len(labels.lengths)), labels.lengths)
            gave = produced._replace(labels=of_produced[produced.labels])
            before = Labels(rows, numbers[labels.values])
            found[family] = apply(self._edits, len(labels.lengths), before, gave, texts, mentions)
        return found


def apply(
    edits: Edits, num_rows: int, labels: Labels, produced: Produced, texts: Texts, read: Callable[[], Mentions]
) -> ResolvedShard:
    """The labels of one family of a shard, with what is decided done. produced: its labels are numbers.

    `texts`: what the shard's entries are called; `read`: which sample has which.
    """
    if edits.splits:
        labels, produced = _split(edits, labels, produced, texts, read())
    numbers, becomes = edits.of(labels.numbers), edits.of(produced.labels)
    kept = numbers != GONE
    merged = Labels(*distinct_pairs(labels.rows[kept], numbers[kept]))
    return pack_labels(num_rows, merged, _merged(produced._replace(labels=becomes)))


def _split(
    edits: Edits, labels: Labels, produced: Produced, texts: Texts, mentions: Mentions
) -> tuple[Labels, Produced]:
    """Labels and what gave them with each split done, one after the other.

    A sample keeps the class, with the new one beside it, if it has another term that gives the class here or in other
    samples of the shard: which of its terms gave which label is not kept.
    """
    rows, numbers = labels
    mentioning = np.repeat(np.arange(len(mentions.offsets) - 1), np.diff(mentions.offsets))
    names = np.array(texts.of(np.arange(len(texts.heads))), object)
    for number, term, into in edits.splits:
        gave = produced.labels == number
        mine = gave & (names[produced.entries] == term)
        ours = distinct(mentioning[contains(distinct(produced.entries[mine]), mentions.values)])
        others = distinct(mentioning[contains(distinct(produced.entries[gave & ~mine]), mentions.values)])
        has = numbers == number
        moved = has & contains(ours, rows)
        stays = ~moved | contains(others, rows)
        rows = np.concatenate([rows[stays], rows[moved]])
        numbers = np.concatenate([numbers[stays], np.full(int(moved.sum()), into)])
        produced = produced._replace(labels=np.where(mine, into, produced.labels))
    return Labels(rows, numbers), produced


def _merged(produced: Produced) -> Produced:
    """Without labels that are gone, and those of one entry that became the same as one."""
    kept = produced.labels != GONE
    entries, labels = produced.entries[kept], produced.labels[kept]
    if not len(entries):
        return NOTHING
    order = np.lexsort((labels, entries))
    entries, labels = entries[order], labels[order]
    (first,) = np.nonzero((np.diff(entries, prepend=-1) != 0) | (np.diff(labels, prepend=-1) != 0))
    samples = np.add.reduceat(produced.samples[kept][order], first)
    examples = np.bitwise_or.reduceat(produced.examples[kept][order], first)
    return Produced(entries[first], labels[first], samples, examples)
