"""Logits of a head with a vocabulary → tags: synsets with probabilities, likeliest first.

Shapes: B pictures, K classes, H synsets above them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from labelshards.errors import CatlipError
from labelshards.hierarchy import Hierarchy
from labelshards.vocabulary import Vocabulary
from trainer.encoders.encoder import Encoder
from trainer.pictures.work import Work

_LIST_OF_NAMES = pa.list_(pa.field("element", pa.string(), nullable=False))
_LIST_OF_NUMBERS = pa.list_(pa.field("element", pa.float32(), nullable=False))
# Synsets and their probabilities, likeliest first; of a picture that was read, lists that may be empty.
TAGS = pa.schema([pa.field("synsets", _LIST_OF_NAMES), pa.field("probabilities", _LIST_OF_NUMBERS)])
ABOVE = pa.schema([pa.field("above", _LIST_OF_NAMES), pa.field("above_probabilities", _LIST_OF_NUMBERS)])


@dataclass(frozen=True, kw_only=True)
class TagRules:
    """Which classes become tags: the `top` likeliest, of those whose probability is at least `thresholds_K`.

    thresholds_K: float32 [K]; said: how a person gave them, for settings. hierarchy: what stands above tags is added.
    """

    top: int
    thresholds_K: np.ndarray
    said: str
    hierarchy: Hierarchy | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What decides about rows."""
        above = self.hierarchy.digest if self.hierarchy else None
        return {"top": self.top, "threshold": self.said, "roll_up": above}


def tagging(encoder: Encoder, rules: TagRules) -> Work:
    """The work of tagging. Raises CatlipError if nobody said what the encoder's classes mean."""
    vocabulary = vocabulary_of(encoder)
    thresholds_K = torch.tensor(rules.thresholds_K, device=encoder.device)
    names = pa.array(vocabulary.synsets, pa.string())

    def compute(x_BCHW: torch.Tensor) -> Sequence[pa.Array]:
        probabilities_BK = encoder.model(x_BCHW).float().sigmoid()
        # Below its threshold a class ranks behind all others, and is cut off.
        kept_BK = torch.where(probabilities_BK >= thresholds_K, probabilities_BK, -1.0)
        best_BT, classes_BT = (found.cpu().numpy() for found in kept_BK.topk(min(rules.top, kept_BK.shape[1])))
        lengths_B = (best_BT >= 0).sum(1)
        chosen = best_BT >= 0
        columns = _lists(lengths_B, names.take(pa.array(classes_BT[chosen])), best_BT[chosen])
        if rules.hierarchy is None:
            return columns
        rows = np.repeat(np.arange(len(lengths_B)), lengths_B)
        return [*columns, *_above(rules.hierarchy, len(lengths_B), rows, classes_BT[chosen], best_BT[chosen])]

    return Work(
        encoder=encoder,
        columns=pa.schema([*TAGS, *(ABOVE if rules.hierarchy else ())]),
        settings={"vocabulary": vocabulary.digest, **rules.settings},
        compute=compute,
    )


def vocabulary_of(encoder: Encoder) -> Vocabulary:
    """What the classes of an encoder's head mean. Raises CatlipError if nobody said."""
    if encoder.vocabulary is None:
        raise CatlipError(
            "This model has no head with a vocabulary, so it has no words for what it sees. Take a run of catlip "
            "train, or an exported folder with its head and vocabulary.parquet; `catlip embed` takes any model."
        )
    return encoder.vocabulary


def _above(
    hierarchy: Hierarchy, num_rows: int, rows: np.ndarray, classes: np.ndarray, probabilities: np.ndarray
) -> list[pa.Array]:
    """What stands above tags, as probable as the likeliest tag below it, the narrowest of equals first.

    A maximum keeps the order that a hierarchy demands (Giunchiglia & Lukasiewicz 2020, arXiv 2010.10151); a noisy-or
    over thousands of classes would make everything certain. rows, classes, probabilities: of each tag.
    """
    lengths = hierarchy.offsets[classes + 1] - hierarchy.offsets[classes]
    tags = np.repeat(np.arange(len(classes)), lengths)
    within = np.arange(len(tags)) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # 0, 1, 2 … for each tag
    synsets = hierarchy.values[hierarchy.offsets[classes][tags] + within]
    scores_BH = np.zeros((num_rows, len(hierarchy.synsets)), np.float32)
    # A plain assignment would see one of several tags below the same synset.
    np.maximum.at(scores_BH, (rows[tags], synsets), probabilities[tags])
    found_rows, found = np.nonzero(scores_BH)
    scores = scores_BH[found_rows, found]
    width_H = np.bincount(hierarchy.values, minlength=len(hierarchy.synsets))
    order = np.lexsort((found, width_H[found], -scores, found_rows))  # the last key counts first
    names = pa.array(hierarchy.synsets, pa.string()).take(pa.array(found[order]))
    return _lists(np.bincount(found_rows, minlength=num_rows), names, scores[order])


def _lists(lengths_B: np.ndarray, names: pa.Array, probabilities: np.ndarray) -> list[pa.Array]:
    starts = pa.array(np.concatenate([[0], np.cumsum(lengths_B)]), pa.int32())
    numbers = pa.array(probabilities, pa.float32())
    return [pa.ListArray.from_arrays(starts, names), pa.ListArray.from_arrays(starts, numbers)]
