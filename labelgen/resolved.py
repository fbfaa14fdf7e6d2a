"""The labels of one shard before any is pruned, on disk: NAME.resolved beside the candidates.

All that another threshold or vocabulary needs, so that no sense is chosen again. The key of a file says which choice,
which corpus and which code made it; one with another key is as good as none.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from labelgen import packed
from labelgen.ragged import Rows, distinct, offsets
from labelgen.resolve import Choice, Produced, Resolved
from labelshards import storage
from labelshards.schema import FAMILIES, HYPERNYMS, NOUNS


@dataclass(frozen=True, kw_only=True)
class ResolvedShard:
    """N samples. numbers: int64 [D], the distinct labels; labels: places among them, a row a sample, unique.

    families, counted, support: [C], so many samples have numbers[counted] in FAMILIES[families]. `produced`: as in
    resolve.py, its labels being places, too.
    """

    numbers: np.ndarray
    labels: Rows
    families: np.ndarray
    counted: np.ndarray
    support: np.ndarray
    produced: Produced


def pack_labels(resolved: Resolved) -> ResolvedShard:
    """The labels of all families together.

    Where hypernyms are labels, what is counted for them is the synset itself or anything below it.
    """
    by_family = dict(resolved.by_family)
    if HYPERNYMS in by_family:
        both = zip(by_family[HYPERNYMS], by_family[NOUNS], strict=True)
        rows, numbers = (np.concatenate(each) for each in both)
        by_family[HYPERNYMS] = rows, numbers
    none = np.empty(0, np.int64)
    all_rows = np.concatenate([none, *(rows for rows, _ in by_family.values())])
    numbers, places = np.unique(
        np.concatenate([none, *(numbers for _, numbers in by_family.values())]), return_inverse=True
    )
    keys = all_rows * len(numbers) + places
    of_family = np.repeat([FAMILIES.index(name) for name in by_family], [len(rows) for rows, _ in by_family.values()])
    families, counted, support = [none], [none], [none]
    for family in np.unique(of_family).tolist():
        once = distinct(keys[of_family == family])
        counts = np.bincount(once % len(numbers), minlength=len(numbers))
        seen = np.flatnonzero(counts)
        families.append(np.full(len(seen), family))
        counted.append(seen)
        support.append(counts[seen])
    rows, values = np.divmod(distinct(keys), max(1, len(numbers)))
    return ResolvedShard(
        numbers=numbers,
        labels=Rows(offsets(np.bincount(rows, minlength=resolved.num_rows)), values),
        families=np.concatenate(families),
        counted=np.concatenate(counted),
        support=np.concatenate(support),
        produced=resolved.produced._replace(labels=np.searchsorted(numbers, resolved.produced.labels)),
    )


def key_of(choice: Choice, fingerprints: list[tuple[str, str]]) -> str:
    """What decides the labels before pruning. `fingerprints`: (name, fingerprint) of all candidate shards."""
    of_choice = msgspec.structs.replace(choice, families=dict.fromkeys(choice.families, 0))
    code = [storage.digest(file.read_bytes()) for file in sorted(Path(__file__).parent.glob("*.py"))]
    return storage.digest(msgspec.json.encode([of_choice, fingerprints, code]))


def write(folder: str, name: str, key: str, shard: ResolvedShard) -> None:
    """Commit one shard."""
    arrays = {
        "numbers": pa.array(shard.numbers),
        "lengths": _smallest(shard.labels.lengths),
        "labels": _smallest(shard.labels.values),
        "families": _smallest(shard.families),
        "counted": _smallest(shard.counted),
        "support": _smallest(shard.support),
        **{f"produced.{name}": _smallest(values) for name, values in shard.produced._asdict().items()},
    }
    storage.write_bytes(_file(folder, name), packed.to_bytes(arrays, key))


def read(folder: str, name: str, key: str) -> ResolvedShard | None:
    """One shard, or None if there is none that was made with this key."""
    try:
        arrays = packed.from_bytes(storage.read_bytes(_file(folder, name)), key)
    except OSError:
        return None
    if arrays is None:
        return None
    columns = {name: array.to_numpy(zero_copy_only=False).astype(np.int64) for name, array in arrays.items()}
    return ResolvedShard(
        numbers=columns["numbers"],
        labels=Rows(offsets(columns["lengths"]), columns["labels"]),
        families=columns["families"],
        counted=columns["counted"],
        support=columns["support"],
        produced=Produced(*(columns[f"produced.{name}"] for name in Produced._fields)),
    )


def _file(folder: str, name: str) -> str:
    return storage.join(folder, f"{name}.resolved")


def _smallest(values: np.ndarray) -> pa.Array:
    """The values in the smallest type that holds them all."""
    return pa.array(values.astype(np.min_scalar_type(int(values.max(initial=0)))))
