"""Decisions of a person (edit.py) applied to the labels of a shard before any is pruned."""

from collections.abc import Callable

import numpy as np

from labelgen.candidates import Mentions, Texts
from labelgen.edit import Edits
from labelgen.ragged import Rows, contains, distinct, offsets
from labelgen.resolve import Produced
from labelgen.resolved import ResolvedShard

_GONE = -1


def apply(edits: Edits, shard: ResolvedShard, texts: Texts, read: Callable[[], Mentions]) -> ResolvedShard:
    """The same samples with other labels. `texts`: what the shard's entries are called; `read`: which sample has which.

    Support of what was merged or split is counted anew. With the family `hypernyms` it is that of the label in any
    family.
    """
    num_rows = len(shard.labels.lengths)
    rows = np.repeat(np.arange(num_rows), shard.labels.lengths)
    numbers = shard.numbers[shard.labels.values]
    produced = shard.produced._replace(labels=shard.numbers[shard.produced.labels])
    if edits.splits:
        rows, numbers, produced = _split(edits, rows, numbers, produced, texts, read())
    labels = edits.of(numbers)
    becomes = edits.of(produced.labels)
    kept = labels != _GONE
    all_numbers = distinct(np.concatenate([labels[kept], becomes[becomes != _GONE]]))
    width = max(1, len(all_numbers))
    keys = distinct(rows[kept] * width + np.searchsorted(all_numbers, labels[kept]))
    rows, places = np.divmod(keys, width)
    support = np.bincount(places, minlength=len(all_numbers))
    families, counted, counts = _support(edits, shard, all_numbers, support)
    return ResolvedShard(
        numbers=all_numbers,
        labels=Rows(offsets(np.bincount(rows, minlength=num_rows)), places),
        families=families,
        counted=counted,
        support=counts,
        produced=_merged(produced._replace(labels=becomes), all_numbers),
    )


def _split(
    edits: Edits, rows: np.ndarray, numbers: np.ndarray, produced: Produced, texts: Texts, mentions: Mentions
) -> tuple[np.ndarray, np.ndarray, Produced]:
    """(rows, numbers, produced) with each split done, one after the other.

    A sample keeps the class, with the new one beside it, if it has another term that gives the class here or in other
    samples of the shard: which of its terms gave which label is not kept.
    """
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
    return rows, numbers, produced


def _support(
    edits: Edits, shard: ResolvedShard, numbers: np.ndarray, support: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The arrays families, counted and support of the new shard. support: int64 [numbers], samples in any family."""
    parts = [np.empty((3, 0), np.int64)]
    source = {number for number, _, _ in edits.splits}
    for family in distinct(shard.families).tolist():
        mine = shard.families == family
        old, counts = shard.numbers[shard.counted[mine]], shard.support[mine]
        fresh = [into for number, _, into in edits.splits if number in old]
        becomes = edits.of(np.concatenate([old, np.array(fresh, np.int64)]))
        new = distinct(becomes[becomes != _GONE])
        places = np.searchsorted(numbers, new)
        there = contains(numbers, new)
        new, places = new[there], places[there]
        # One label that only came through keeps what it had in this family.
        came = np.searchsorted(new, becomes[contains(new, becomes)])
        whole = (np.bincount(came, minlength=len(new)) == 1) & contains(old, new) & ~np.isin(new, list(source))
        own = np.where(whole, counts[np.minimum(np.searchsorted(old, new), len(old) - 1)], support[places])
        kept = own > 0
        parts.append(np.stack([np.full(int(kept.sum()), family), places[kept], own[kept]]))
    families, counted, counts = np.concatenate(parts, axis=1)
    return families, counted, counts


def _merged(produced: Produced, numbers: np.ndarray) -> Produced:
    """With labels as places among `numbers`, those of one entry that became the same as one."""
    kept = produced.labels != _GONE
    width = max(1, len(numbers))
    keys = produced.entries[kept] * width + np.searchsorted(numbers, produced.labels[kept])
    order = np.argsort(keys, kind="stable")
    first = np.flatnonzero(np.diff(keys[order], prepend=-1))
    if not len(first):
        none = np.empty(0, np.int64)
        return Produced(none, none, none, none)
    entries, labels = np.divmod(keys[order][first], width)
    samples = np.add.reduceat(produced.samples[kept][order], first)
    return Produced(entries, labels, samples, np.bitwise_or.reduceat(produced.examples[kept][order], first))
