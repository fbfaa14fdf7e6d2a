"""What the page says of a class when it is opened."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from labelgen.audit.associates import Pairs, all_associates
from labelgen.report.data import Details
from labelshards.labelset import LabelSet

_TERMS = 8
_CAPTIONS = 6
_CAPTION_CHARACTERS = 220
_SHORTEST_BYTES = 30  # less of a caption says nothing
_ASSOCIATES = 12


def details(
    label_set: LabelSet,
    table: pa.Table,
    pairs: Pairs,
    places: np.ndarray,
    pictures: Sequence[Sequence[int]],
    caption_bytes: int,
) -> list[Details]:
    """Of each class of one label set. table: audit.classes.class_table; pairs: all of its pairs; places: int64 [K],
    where its classes stand in the report; pictures: of each class, places among the report's pictures; caption_bytes:
    no more in all captions of a class; where its first is longer, that one is cut.
    """
    terms, captions = _terms(label_set, caption_bytes)
    near = all_associates(pairs, len(places), _ASSOCIATES)
    found = []
    others = table["other_sense"].to_pylist()
    at_end = np.append(places, -1)  # where there is no associate, all_associates has K
    associates = zip(at_end[near.classes].tolist(), near.support.tolist(), near.lift.tolist(), strict=True)
    for class_id, (classes, together, lift) in enumerate(associates):
        found.append(
            Details(
                terms=terms[class_id][:_TERMS],
                more_terms=len(terms[class_id][_TERMS:]),
                captions=captions[class_id],
                associates=[
                    (other, count, round(value, 2))
                    for other, count, value in zip(classes, together, lift, strict=True)
                    if other >= 0
                ],
                other=others[class_id],
                pictures=list(pictures[class_id]),
            )
        )
    return found


def _terms(label_set: LabelSet, most_bytes: int) -> tuple[list[list[tuple[str, int]]], list[list[tuple[str, str]]]]:
    """Terms with counts, and captions with their terms, of each class."""
    num_classes = len(label_set.vocabulary)
    terms: list[list[tuple[str, int]]] = [[] for _ in range(num_classes)]
    told: list[list[tuple[str, list[str]]]] = [[] for _ in range(num_classes)]
    table = label_set.examples()
    for class_id, term, count, of_term in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        terms[class_id].append((term, count))
        if len(told[class_id]) < _CAPTIONS:
            told[class_id].append((term, of_term))
    return terms, [_dealt(of_class, most_bytes) for of_class in told]


def _dealt(told: list[tuple[str, list[str]]], most_bytes: int) -> list[tuple[str, str]]:
    """Captions of the terms in turn, the first of each before the second of any."""
    turns = max((len(captions) for _, captions in told), default=0)
    dealt = [(captions[turn], term) for turn in range(turns) for term, captions in told if turn < len(captions)]
    seen: dict[str, str] = {}
    for caption, term in dealt:
        seen.setdefault(_cut(caption, _CAPTION_CHARACTERS), term)
    found = list(seen.items())
    lengths = np.cumsum([len(caption.encode()) for caption in seen])
    number = min(_CAPTIONS, int(np.searchsorted(lengths, most_bytes, side="right")))
    if found and not number and most_bytes >= _SHORTEST_BYTES:
        caption, term = found[0]
        return [(_cut(caption, most_bytes * len(caption) // len(caption.encode())), term)]
    return found[:number]


def _cut(caption: str, characters: int) -> str:
    return caption if len(caption) <= characters else caption[: characters - 1].rstrip() + "…"
