"""Counts of scores → a threshold for each class, and the file that keeps them.

Shapes: K classes, L steps of the logit, rising.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelshards import parquet, storage
from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from trainer.tagging.counts import Counts, probability

FEWEST = 5  # pictures with a label from which on its class has a threshold of its own
_VOCABULARY_KEY, _GOAL_KEY = b"catlip.vocabulary", b"catlip.goal"
THRESHOLDS = pa.schema(
    [
        pa.field("class_id", pa.uint32(), nullable=False),
        pa.field("synset", pa.string(), nullable=False),
        pa.field("threshold", pa.float32(), nullable=False),
        pa.field("positives", pa.int64(), nullable=False),
        pa.field("precision", pa.float32()),
        pa.field("recall", pa.float32()),
        pa.field("pooled", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a threshold is for: the best F1; or, where `precision` is given, the most tags that are right so often."""

    precision: float | None = None

    def __str__(self) -> str:
        return "f1" if self.precision is None else f"precision={self.precision:g}"

    def choose(self, positives_KL: np.ndarray, negatives_KL: np.ndarray) -> np.ndarray:
        """int64 [K]: the step from which on a class is a tag; L where it never should be.

        Of equal F1 the highest step, of precisions that are high enough the lowest.
        """
        right_KL, shown_KL = _from_above(positives_KL), _from_above(positives_KL + negatives_KL)
        if self.precision is None:
            total_K1 = positives_KL.sum(1, keepdims=True)
            score_KL = 2 * right_KL / np.maximum(1, shown_KL + total_K1)  # 0 of 0 is 0
            best_K = score_KL.shape[1] - 1 - score_KL[:, ::-1].argmax(1)  # argmax takes the first of equals
            reached_K = score_KL.max(1) > 0
        else:
            good_KL = (right_KL > 0) & (right_KL >= self.precision * shown_KL)
            best_K, reached_K = good_KL.argmax(1), good_KL.any(1)
        chosen_K: np.ndarray = np.where(reached_K, best_K, positives_KL.shape[1])
        return chosen_K


def calibrate(counts: Counts, vocabulary: Vocabulary, goal: Goal) -> pa.Table:
    """THRESHOLDS of all classes; infinite where a class never reaches the goal.

    Classes with fewer than FEWEST positives share the one threshold (`pooled`) that serves the counts of all classes.
    """
    positives_KL, negatives_KL = counts.positives_KL, counts.negatives_KL
    positives_K = positives_KL.sum(1)
    is_pooled_K = positives_K < FEWEST
    [shared] = goal.choose(positives_KL.sum(0, keepdims=True), negatives_KL.sum(0, keepdims=True))
    steps_K = np.where(is_pooled_K, shared, goal.choose(positives_KL, negatives_KL))
    num_classes, num_steps = positives_KL.shape
    never_K = steps_K == num_steps
    at = np.arange(num_classes), np.minimum(steps_K, num_steps - 1)  # any step where it is never one: masked below
    right_K, shown_K = _from_above(positives_KL)[at], _from_above(positives_KL + negatives_KL)[at]
    return pa.Table.from_arrays(
        [
            pa.array(range(num_classes), pa.uint32()),
            pa.array(vocabulary.synsets, pa.string()),
            pa.array(np.where(never_K, np.inf, probability(steps_K)), pa.float32()),
            pa.array(positives_K, pa.int64()),
            pa.array(right_K / np.maximum(1, shown_K), pa.float32(), mask=never_K | (shown_K == 0)),
            pa.array(right_K / np.maximum(1, positives_K), pa.float32(), mask=never_K | (positives_K == 0)),
            pa.array(is_pooled_K),
        ],
        schema=THRESHOLDS.with_metadata({_VOCABULARY_KEY: vocabulary.digest.encode(), _GOAL_KEY: str(goal).encode()}),
    )


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How many classes have a threshold of their own, share one, and never reach the goal; the median of thresholds."""

    own: int
    pooled: int
    never: int
    median_threshold: float | None


def overview(table: pa.Table) -> Overview:
    """Of a table of THRESHOLDS."""
    thresholds_K = table["threshold"].to_numpy()
    reached_K = np.isfinite(thresholds_K)
    pooled = pc.sum(table["pooled"]).as_py()
    return Overview(
        own=len(table) - pooled,
        pooled=pooled,
        never=int((~reached_K).sum()),
        median_threshold=float(np.median(thresholds_K[reached_K])) if reached_K.any() else None,
    )


def write_thresholds(table: pa.Table, where: str) -> None:
    """Keep what `calibrate` found."""
    storage.write_bytes(where, parquet.to_bytes(table, table.schema.metadata))


def read_thresholds(where: str, vocabulary: Vocabulary) -> np.ndarray:
    """float32 [K]. Raises CatlipError if the file is none, or of another vocabulary; OSErrors that name it."""
    data = storage.read_bytes(where)
    try:
        table = parquet.read_table(data, THRESHOLDS.names)
        thresholds = table["threshold"].cast(pa.float32())
    except (pa.ArrowException, OSError, KeyError) as error:
        raise CatlipError(f"{where} holds no thresholds ({error}). Make them with `catlip calibrate`.") from error
    if (table.schema.metadata or {}).get(_VOCABULARY_KEY) != vocabulary.digest.encode():
        raise CatlipError(f"{where} has thresholds for another vocabulary. Make them anew with `catlip calibrate`.")
    if len(thresholds) != len(vocabulary) or thresholds.null_count:
        raise CatlipError(f"{where} lacks thresholds of some classes. Make them anew with `catlip calibrate`.")
    values: np.ndarray = thresholds.to_numpy()
    return values


def _from_above(counts_KL: np.ndarray) -> np.ndarray:
    """int64 [K, L]: how many lie in a step or above it."""
    return np.cumsum(counts_KL[:, ::-1], axis=1)[:, ::-1]
