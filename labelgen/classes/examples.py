"""Which terms produced each class, with counts and a few captions.

That depends on no threshold, so it is kept beside the candidates for all labels of a family. Only of compounds, of
which a large corpus has more than memory holds, those alone are kept that were classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labelgen.arrays import packed
from labelgen.arrays.ragged import contains, offsets, rank_in_row, spans
from labelgen.candidates import read_captions, read_texts
from labelgen.classes.encode import DROPPED, Encoder
from labelgen.meaning.resolve import Produced
from labelshards import schema, storage

_CAPTIONS = 3
_WAITING = 1 << 16  # captions, until it is seen which of them are kept


class Examples(NamedTuple):
    """Of each label and term: labels int64 [n], terms string [n], counts int64 [n], captions list<string> [n].

    wanted: int64, the labels that are told of, rising; None stands for all.
    """

    labels: np.ndarray
    terms: pa.StringArray
    counts: np.ndarray
    captions: pa.ListArray
    wanted: np.ndarray | None

    def tells(self, numbers: np.ndarray) -> bool:
        """Whether all of these labels, int64 [n], are told of."""
        return self.wanted is None or bool(contains(self.wanted, numbers).all())


class Gathering:
    """Adds up what shards tell. Memory: one entry per (label, term), with so many captions."""

    def __init__(self, wanted: np.ndarray | None) -> None:
        self._wanted = wanted
        self._numbers: dict[tuple[int, str], int] = {}
        self._counts = np.zeros(0, np.int64)
        # Which have all the captions that are kept: most of what comes, once some shards are read.
        self._full = np.zeros(0, bool)
        # The number of an entry for each caption, and the captions; first those that are kept, then those that wait.
        self._told: list[tuple[np.ndarray, pa.StringArray]] = []
        self._num_told = 0
        self._num_settled = 0

    def add(self, folder: str, name: str, numbers: np.ndarray, produced: Produced) -> None:
        """Add what the entries of one shard produced; call it in the order of the shards.

        numbers: int64 [D], the labels among which `produced` has places.
        """
        labels = numbers[produced.labels]
        kept = np.arange(len(labels)) if self._wanted is None else np.flatnonzero(contains(self._wanted, labels))
        of_entry = produced.entries[kept]
        number = self._numbers.setdefault
        keys = zip(labels[kept].tolist(), read_texts(folder, name).of(of_entry), strict=True)
        places = np.array([number(key, len(self._numbers)) for key in keys], np.int64)
        more = len(self._numbers) - len(self._counts)
        self._counts = np.append(self._counts, np.zeros(more, np.int64))
        self._full = np.append(self._full, np.zeros(more, bool))
        np.add.at(self._counts, places, produced.samples[kept])  # entries of a shard may share a text
        wanting = np.flatnonzero(~self._full[places])
        if not len(wanting):
            return
        captions = read_captions(folder, name).take(pa.array(of_entry[wanting]))
        lengths = captions.value_lengths().to_numpy()
        bits = np.repeat(produced.examples[kept[wanting]], lengths)
        # Bit i is for caption i.
        telling = np.flatnonzero(bits >> spans(np.zeros(len(lengths), np.int64), lengths) & 1)
        self._told.append((np.repeat(places[wanting], lengths)[telling], captions.flatten().take(pa.array(telling))))
        self._num_told += len(telling)
        # More than is kept must have come: so a caption is sorted a few times, and not with each shard.
        if self._num_told > 2 * self._num_settled + _WAITING:
            self._settle()

    def _settle(self) -> None:
        """Keep the first captions of each entry, every one once."""
        numbers = np.concatenate([np.empty(0, np.int64), *(found for found, _ in self._told)])
        texts = pa.concat_arrays([pa.array([], pa.string()), *(captions for _, captions in self._told)])
        codes = texts.dictionary_encode().indices.to_numpy()
        first = np.sort(np.unique(numbers * (len(codes) + 1) + codes, return_index=True)[1])
        first = first[np.argsort(numbers[first], kind="stable")]
        first = first[rank_in_row(numbers[first]) < _CAPTIONS]
        self._told = [(numbers[first], texts.take(pa.array(first)))]
        self._num_told = self._num_settled = len(first)
        self._full = np.bincount(numbers[first], minlength=len(self._full)) == _CAPTIONS

    def examples(self) -> Examples:
        """All of them."""
        self._settle()
        ((numbers, texts),) = self._told
        starts = offsets(np.bincount(numbers, minlength=len(self._numbers)))
        return Examples(
            np.array([label for label, _ in self._numbers], np.int64),
            pa.array([term for _, term in self._numbers], pa.string()),
            self._counts,
            pa.ListArray.from_arrays(pa.array(starts, pa.int32()), texts),
            self._wanted,
        )


def table(found: Sequence[Examples], encoder: Encoder) -> pa.Table:
    """What several families tell of the classes (schema.EXAMPLES), by class, then by falling count, then by term."""
    parts = []
    for each in found:
        classes = encoder.classes(each.labels)
        kept = pa.array(np.flatnonzero(classes != DROPPED))
        columns = [pa.array(classes, pa.int64()), each.terms, pa.array(each.counts), each.captions]
        parts.append(pa.table([column.take(kept) for column in columns], schema.EXAMPLES.names))
    rising = [("class_id", "ascending"), ("count", "descending"), ("term", "ascending")]
    return pa.concat_tables(parts).sort_by(rising).cast(schema.EXAMPLES)


def write(folder: str, family: str, key: str, examples: Examples) -> None:
    """Keep the examples of a family beside the candidates. `key`: what decides its labels."""
    wanted = np.empty(0, np.int64) if examples.wanted is None else examples.wanted
    arrays = {
        "labels": pa.array(examples.labels),
        "terms": examples.terms,
        "counts": pa.array(examples.counts),
        "lengths": examples.captions.value_lengths(),
        "captions": examples.captions.flatten(),
        "is_all": pa.array([examples.wanted is None]),
        "wanted": pa.array(wanted),
    }
    storage.write_bytes(_file(folder, family), packed.to_bytes(arrays, key))


def read(folder: str, family: str, key: str) -> Examples | None:
    """The examples of a family, or None if there are none that were made with this key."""
    try:
        arrays = packed.from_bytes(storage.read_bytes(_file(folder, family)), key)
    except OSError:
        return None
    if arrays is None:
        return None
    starts = pa.array(offsets(arrays["lengths"].to_numpy()), pa.int32())
    return Examples(
        arrays["labels"].to_numpy(),
        arrays["terms"],
        arrays["counts"].to_numpy(),
        pa.ListArray.from_arrays(starts, arrays["captions"]),
        None if arrays["is_all"][0].as_py() else arrays["wanted"].to_numpy(),
    )


def _file(folder: str, family: str) -> str:
    return storage.join(folder, f"{family}.examples")
