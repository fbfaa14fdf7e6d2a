"""How often each class was right and wrong at each score, on a label set's pictures.

Shapes: B pictures, K classes, L steps of the logit. However many pictures there are, two counts for each of K x L are
all that is held.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from labelshards.errors import CatlipError
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet
from labelshards.shards import image_rows
from trainer import workers
from trainer.encoders.encoder import Encoder
from trainer.pictures.reading import PictureBatches
from trainer.pictures.units import Place

NUM_STEPS = 561  # logits from -14 to 14
_LOWEST, _STEP = -14.0, 0.05  # of the logit; 0.0125 of the probability at most
_BATCH_SIZE = 128


@dataclass(frozen=True, kw_only=True)
class Counts:
    """int64 [K, L]: pictures with the label, and without it. pictures: that were read; problems: of the others."""

    positives_KL: np.ndarray
    negatives_KL: np.ndarray
    pictures: int
    problems: Counter[str]


def probability(step: np.ndarray) -> np.ndarray:
    """float32: the least probability that falls into a step; of the first one, 0."""
    logits = _LOWEST + _STEP * step.astype(np.float64)
    return np.where(step == 0, 0.0, 1 / (1 + np.exp(-logits))).astype(np.float32)


@torch.inference_mode()
def count(
    encoder: Encoder, label_set: LabelSet, most: int, moved: dict[str, str], report: Callable[[int, int], None]
) -> Counts:
    """Count over `most` of the label set's pictures, drawn evenly. report(done, total) is told how far it is.

    Raises CatlipError if no picture could be read.
    """
    encoder.model.to(encoder.device)
    num_classes = len(label_set.vocabulary)
    # Flat, so that one scatter counts a batch: first with the label, then without, in each K rows of L steps.
    counts_2KL = torch.zeros(2 * num_classes * NUM_STEPS, dtype=torch.int64, device=encoder.device)
    first_K = torch.arange(num_classes, device=encoder.device) * NUM_STEPS
    # Labels wait here for their pictures, which come back in order; workers need not see them.
    ahead: deque[list[np.ndarray]] = deque()

    def places() -> Iterator[list[Place]]:
        for batch, labels in _batches(label_set, most, moved):
            ahead.append(labels)
            yield batch

    total = min(most, label_set.manifest.totals.images)
    problems: Counter[str] = Counter()
    done = pictures = 0
    data = PictureBatches(picture=encoder.picture)
    for images_BCHW, found in workers.parallel(data, places(), encoder.device):
        labels = ahead.popleft()
        done += len(labels)
        report(done, total)
        problems.update(problem for problem in found if problem)
        readable = [b for b, problem in enumerate(found) if problem is None]
        if not readable:
            continue
        pictures += len(readable)
        logits_BK = encoder.model(encoder.picture.to_input(images_BCHW[readable].to(encoder.device))).float()
        steps_BK = ((logits_BK - _LOWEST) / _STEP).floor().clamp(0, NUM_STEPS - 1).long()
        is_label_BK = torch.zeros(steps_BK.shape, dtype=torch.long, device=encoder.device)
        for row, b in enumerate(readable):
            is_label_BK[row, torch.from_numpy(labels[b]).to(encoder.device)] = 1
        at_BK = (1 - is_label_BK) * (num_classes * NUM_STEPS) + first_K + steps_BK
        counts_2KL.scatter_add_(0, at_BK.flatten(), torch.ones_like(at_BK).flatten())
    if not pictures:
        why = ", ".join(f"{number:,} {reason}" for reason, number in problems.items()) or "it has none"
        raise CatlipError(f"No picture of {label_set.root} could be read: {why}.")
    positives_KL, negatives_KL = counts_2KL.view(2, num_classes, NUM_STEPS).cpu().numpy()
    return Counts(positives_KL=positives_KL, negatives_KL=negatives_KL, pictures=pictures, problems=problems)


def _batches(label_set: LabelSet, most: int, moved: dict[str, str]) -> Iterator[tuple[list[Place], list[np.ndarray]]]:
    """Places and int64 class ids, of every n-th picture."""
    reader = ImageReader(moved=moved)
    stride = max(1.0, label_set.manifest.totals.images / max(1, most))
    seen = taken = 0
    batch: list[Place] = []
    labels: list[np.ndarray] = []
    for index in range(len(label_set.manifest.shards)):
        shard = label_set.read_shard(index)
        for row in image_rows(shard).tolist():
            seen += 1
            if seen <= taken * stride:
                continue
            taken += 1
            found = shard.image(row)
            assert found is not None, "a row with an image"
            file, ref = found
            batch.append(Place(file.uri, shard.keys[row].as_py(), reader.located(file), ref))
            labels.append(shard.labels(row).astype(np.int64))
            if len(batch) == _BATCH_SIZE:
                yield batch, labels
                batch, labels = [], []
    if batch:
        yield batch, labels
