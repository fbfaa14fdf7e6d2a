"""Which of millions of tagged pictures are shown: some by chance, and for each synset those that are surest of it."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import xxhash

_BEST_PER_SYNSET = 3
_BY_CHANCE = 0.5  # of the pictures

_Ranked = TypeVar("_Ranked", bound=tuple[Any, ...])


class Tag(NamedTuple):
    """A synset's WordNet name, and its probability."""

    synset: str
    probability: float


class Tagged(NamedTuple):
    """A picture and its tags, likeliest first. above: what stands above them, where it says more than a tag does."""

    source: str
    key: str
    offset: int
    size: int
    tags: tuple[Tag, ...]
    above: tuple[Tag, ...]


class Picked(NamedTuple):
    """pictures: in the order in which they are shown. total: of all that were read; counts: of their synsets."""

    pictures: list[Tagged]
    total: int
    counts: Counter[str]


def rows(table: pa.Table) -> Iterator[Tagged]:
    """The pictures of a table of tags that were read."""
    for row in table.to_pylist():
        if row["problem"] is None:
            place = row["source"], row["key"], row["offset"], row["size"]
            yield Tagged(*place, tags_of(row), news_of(row))


def pick(tables: Iterable[pa.Table], most: int, seed: int) -> Picked:
    """At most `most` pictures; which ones, does not depend on their order.

    Half of them is drawn by `seed`. The rest are the surest of each synset, the frequent synsets first, and drawn
    ones again where that does not fill the places.
    """
    drawn: list[tuple[int, Tagged]] = []
    best: dict[str, list[tuple[float, int, Tagged]]] = {}
    counts: Counter[str] = Counter()
    total = 0
    for table in tables:
        for picture in rows(table):
            total += 1
            lot = xxhash.xxh3_64_intdigest(f"{picture.source}\n{picture.key}".encode(), seed)
            _keep(drawn, (-lot, picture), most)  # the smallest lots are drawn, and a heap keeps the largest
            for tag in picture.tags:
                _keep(best.setdefault(tag.synset, []), (tag.probability, -lot, picture), _BEST_PER_SYNSET)
            counts.update({tag.synset for tag in (*picture.tags, *picture.above)})
    by_lot = [picture for _, picture in sorted(drawn, reverse=True, key=lambda each: each[0])]
    chosen = dict.fromkeys(by_lot[: round(most * _BY_CHANCE)])  # a set that keeps its order
    ranked = {synset: sorted(own, reverse=True, key=lambda each: each[:2]) for synset, own in best.items()}
    # Every synset has its surest picture before any has its second.
    for place in range(_BEST_PER_SYNSET):
        for synset in sorted(ranked, key=lambda synset: (-counts[synset], synset)):
            if place < len(ranked[synset]) and len(chosen) < most:
                chosen.setdefault(ranked[synset][place][2])
    for picture in by_lot:
        if len(chosen) < most:
            chosen.setdefault(picture)
    return Picked(list(chosen), total, counts)


def tags_of(row: dict[str, Any]) -> tuple[Tag, ...]:
    """The tags in a row of a table; none where the picture could not be read."""
    return _tags(row, "synsets", "probabilities")


def news_of(row: dict[str, Any]) -> tuple[Tag, ...]:
    """What stands above the tags of a row and is no tag yet, or is likelier.

    A man is a person, however unsure of persons the head is.
    """
    known = dict(tags_of(row))
    above = _tags(row, "above", "above_probabilities")
    return tuple(tag for tag in above if tag.probability > known.get(tag.synset, 0.0))


def _tags(row: dict[str, Any], names: str, probabilities: str) -> tuple[Tag, ...]:
    return tuple(map(Tag, row.get(names) or (), row.get(probabilities) or ()))


def _keep(heap: list[_Ranked], each: _Ranked, most: int) -> None:
    """Of all that came, the `most` largest. No two are equal in what stands before the picture."""
    if len(heap) < most:
        heapq.heappush(heap, each)
    elif each > heap[0]:
        heapq.heapreplace(heap, each)
