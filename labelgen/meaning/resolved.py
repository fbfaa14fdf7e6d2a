"""The labels of one shard before any is pruned, on disk: NAME.FAMILY.resolved beside the candidates.

All that another threshold or vocabulary needs, so that no sense is chosen again; and as each family has a file of its
own, another choice of families chooses senses only for those that are new. The key of a file says which choice, which
corpus and which code made it; one with another key is as good as none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from labelgen import candidates
from labelgen.arrays import packed
from labelgen.arrays.ragged import Rows, offsets
from labelgen.meaning.resolve import Choice, Labels, Produced
from labelshards import storage
from labelshards.schema import HYPERNYMS, NOUNS

# What each question reads of a file; other columns stay packed.
_COUNTS = ("numbers", "support")
_LABELS = ("numbers", "lengths", "labels")
_PRODUCED = ("numbers", *(f"produced.{name}" for name in Produced._fields))


@dataclass(frozen=True, kw_only=True)
class ResolvedShard:
    """Labels of one family. numbers: int64 [D], the distinct ones, most frequent first; support: [D], samples of each.

    labels: places among them, a row a sample, unique. produced: as in resolve.py, its labels being places, too.
    """

    numbers: np.ndarray
    support: np.ndarray
    labels: Rows
    produced: Produced


def pack_labels(num_rows: int, labels: Labels, produced: Produced) -> ResolvedShard:
    """The labels of one family, and which entries gave them."""
    numbers, places, support = np.unique(labels.numbers, return_inverse=True, return_counts=True)
    order = np.argsort(-support, kind="stable")  # small places are frequent ones, so that the file packs well
    place_of = np.empty(len(order), np.int64)
    place_of[order] = np.arange(len(order))
    of_produced = place_of[np.searchsorted(numbers, produced.labels)]
    return ResolvedShard(
        numbers=numbers[order],
        support=support[order],
        labels=Rows(offsets(np.bincount(labels.rows, minlength=num_rows)), place_of[places]),
        produced=produced._replace(labels=of_produced),
    )


def key_of(choice: Choice, family: str, fingerprints: Sequence[tuple[str, str]]) -> str:
    """What decides the labels of a family before pruning. `fingerprints`: (name, fingerprint) of all shards."""
    decides: list[object] = [family, choice.senses, choice.stoplist, choice.pins, fingerprints, _code()]
    if family in (NOUNS, HYPERNYMS):
        decides.append(choice.modifiers)
    if family == HYPERNYMS:
        decides.append(choice.hypernym_depth)
    return storage.digest(msgspec.json.encode(decides))


def keys_of(folder: str, names: Sequence[str], choice: Choice) -> dict[str, str]:
    """Family → its key, for shards `names` in the candidates' `folder`, as they are there now."""
    reports = ((name, candidates.read_report(folder, name)) for name in names)
    fingerprints = [(name, report.fingerprint if report else "") for name, report in reports]
    return {family: key_of(choice, family, fingerprints) for family in choice.families}


def write(folder: str, name: str, family: str, key: str, shard: ResolvedShard) -> None:
    """Commit one family of one shard."""
    arrays = {
        "numbers": pa.array(shard.numbers),
        "support": _smallest(shard.support),
        "lengths": _smallest(shard.labels.lengths),
        "labels": _smallest(shard.labels.values),
        **{f"produced.{name}": _smallest(values) for name, values in shard.produced._asdict().items()},
    }
    storage.write_bytes(_file(folder, name, family), packed.to_bytes(arrays, key))


def read_support(folder: str, name: str, family: str, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(numbers, support), int64 [D] both, of a family of a shard; None if there is none that was made with this key."""
    found = _read(folder, name, family, key, _COUNTS)
    return None if found is None else (found["numbers"], found["support"].astype(np.int64))


def read_labels(folder: str, name: str, family: str, key: str) -> tuple[np.ndarray, Rows] | None:
    """(int64 [D] numbers, labels), the same way; the labels' places among the numbers are of some unsigned type."""
    found = _read(folder, name, family, key, _LABELS)
    return None if found is None else (found["numbers"], Rows(offsets(found["lengths"]), found["labels"]))


def read_produced(folder: str, name: str, family: str, key: str) -> tuple[np.ndarray, Produced] | None:
    """(int64 [D] numbers, produced), the same way; its labels are places among the numbers."""
    found = _read(folder, name, family, key, _PRODUCED)
    if found is None:
        return None
    return found["numbers"], Produced(*(found[f"produced.{name}"].astype(np.int64) for name in Produced._fields))


def _read(folder: str, name: str, family: str, key: str, columns: Sequence[str]) -> dict[str, np.ndarray] | None:
    try:
        arrays = packed.from_bytes(storage.read_bytes(_file(folder, name, family)), key, columns)
    except OSError:
        return None
    if arrays is None or any(array.null_count or not pa.types.is_integer(array.type) for array in arrays.values()):
        return None
    return {name: array.to_numpy() for name, array in arrays.items()}


def _file(folder: str, name: str, family: str) -> str:
    return storage.join(folder, f"{name}.{family}.resolved")


def _smallest(values: np.ndarray) -> pa.Array:
    """The values in the smallest type that holds them all."""
    return pa.array(values.astype(np.min_scalar_type(int(values.max(initial=0)))))


@cache
def _code() -> str:
    """Identity of this package's code."""
    # All of it: what decides a label stands in many rooms, and to choose senses again costs less than a wrong label.
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return storage.digest("".join(storage.digest(file.read_bytes()) for file in files).encode())
