"""Parsed captions → weights: what the table is taught."""

from collections.abc import Sequence

import numpy as np

from labelgen.distill.features import Describer
from labelgen.distill.fit import fit
from labelgen.distill.pieces import Pieces, cut
from labelgen.distill.tagger import AFTER, BEFORE, BESIDE, NEAR, OWN, pair_of
from labelgen.distill.tagset import CLASSES, INSIDE, OUTSIDE, PLACE_OF, classes_of
from labelgen.distill.weights import Weights
from labelgen.parsing.parse import Parse

# A feature seen once says nothing about others.
_MIN_COUNT = 2
_NOT_TAUGHT = -1
_UNTAGGED = {place: CLASSES.index(("", place)) for place in (OUTSIDE, INSIDE)}


def learn(texts: Sequence[str], parses: Sequence[Parse], describer: Describer) -> Weights:
    """The weights that tag the pieces of `texts` as `parses` (mended) tag their words."""
    pieces = Pieces()
    row = pieces.read(texts)
    classes = np.full(len(row.numbers), _NOT_TAUGHT)
    for text, parse, first, end in zip(texts, parses, row.firsts.tolist(), row.ends.tolist(), strict=True):
        if (right := align(cut(text), parse)) is not None:
            classes[first:end] = right
    taught = np.flatnonzero(classes != _NOT_TAUGHT)
    numbers, features = _features(row.numbers, taught, pieces, describer)
    return Weights(numbers, fit(features, classes[taught], len(numbers) + 1))


def align(pieces: Sequence[str], parse: Parse) -> list[int] | None:
    """The class of each piece of a text. None if the parse is one of another text.

    A piece that ends with a word has the word's class. One that ends inside of a word (in "12-year" it is one) has
    no tag, and lies where the word lies.
    """
    ends, at = [], 1  # the pieces begin with a space
    for word in parse.words:
        at += len(word.text)
        ends.append(at)
        at += word.space_after
    if at != sum(map(len, pieces)):
        return None
    right = classes_of(parse)
    found, at, number = [], 0, 0
    for piece in pieces:
        at += len(piece)
        while ends[number] < at:
            number += 1
        of_word = right[number]
        inside = _UNTAGGED[OUTSIDE if PLACE_OF[of_word] == OUTSIDE else INSIDE]
        found.append(of_word if ends[number] == at else inside)
    return found


def _features(
    row: np.ndarray, taught: np.ndarray, pieces: Pieces, describer: Describer
) -> tuple[dict[tuple[str, str], int], np.ndarray]:
    """((place, feature) → number from 1 on, int32 [taught, F]): features that are seen often enough; 0 for others."""
    described = [describer.describe(piece) for piece in pieces.texts()]
    columns: list[tuple[str, Sequence[str], np.ndarray]] = []  # place, features by number, numbers [taught]
    for offset in (*OWN, *BESIDE, *NEAR):
        # Breaks stand between captions and at both ends: nobody's neighbour is in another caption, or beyond the row.
        there = row[taught + offset]
        spoken = [each.own if offset in OWN else each.beside if offset in BESIDE else each.near for each in described]
        columns += [(str(offset), column, there) for column in zip(*spoken, strict=True)]
    kinds = list(dict.fromkeys(each.kind for each in described))
    kind_numbers = {kind: number for number, kind in enumerate(kinds)}
    kind_of = np.array([kind_numbers[each.kind] for each in described])[row]
    for pair, left in ((BEFORE, taught - 1), (AFTER, taught)):
        both, there = np.unique(kind_of[left] * len(kinds) + kind_of[left + 1], return_inverse=True)
        names = [pair_of(kinds[each // len(kinds)], kinds[each % len(kinds)]) for each in both.tolist()]
        columns.append((pair, names, there))
    numbers: dict[tuple[str, str], int] = {}
    found = np.zeros((len(taught), len(columns)), np.int32)
    for place_in_row, (place, features, there) in enumerate(columns):
        distinct = {feature: number for number, feature in enumerate(dict.fromkeys(features))}
        of_piece = np.array([distinct[feature] for feature in features])[there]
        often = np.bincount(of_piece, minlength=len(distinct)) >= _MIN_COUNT
        number_of = np.zeros(len(distinct), np.int32)
        for number, feature in enumerate(distinct):
            if often[number]:
                number_of[number] = numbers.setdefault((place, feature), len(numbers) + 1)
        found[:, place_in_row] = number_of[of_piece]
    return numbers, found
