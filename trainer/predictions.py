"""What a trained encoder says about samples of a label set that speaks its vocabulary.

Shapes: B images, K classes.
"""

import numpy as np
import torch

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary
from trainer import run, transforms
from trainer.encoders.encoder import PictureInput
from trainer.objectives.kinds import kind_of
from trainer.sheet import Prediction
from trainer.stream.samples import Samples
from trainer.transforms import BrokenImageError

_TRIES_PER_SAMPLE = 4  # broken pictures are passed over


def open_matching(vocabulary: Vocabulary, labels: str) -> LabelSet:
    """The label set in folder `labels`. Raises CatlipError unless it has `vocabulary`, which is a model's."""
    label_set = LabelSet.open(labels)
    if label_set.vocabulary.digest != vocabulary.digest:
        raise CatlipError(
            f"{labels} has other classes than the model ({label_set.vocabulary.digest}, {vocabulary.digest}). "
            "Build it with --vocabulary of the label set that the model was trained on."
        )
    return label_set


@torch.inference_mode()
def predict(
    opened: run.TrainedRun,
    label_set: LabelSet,
    *,
    count: int,
    seed: int,
    device: torch.device,
    moved: dict[str, str] | None = None,
) -> list[Prediction]:
    """Predictions for `count` labelled samples drawn by `seed`; fewer if there are no more.

    A run with a text tower scores the classes by their names.
    """
    samples = Samples([label_set], unlabelled="drop", moved=moved)
    total = len(samples)
    drawn = np.random.default_rng(seed).choice(total, size=min(total, count * _TRIES_PER_SAMPLE), replace=False)
    picture = PictureInput.of_run(opened.record.config.model)
    opened.model.to(device)
    scorer = kind_of(opened.record.config).scorer(opened.model, opened.record.config, opened.vocabulary)
    predictions: list[Prediction] = []
    for number in drawn.tolist():
        if len(predictions) == count:
            break
        place = samples.place(number)
        sample = samples.read(*place)
        try:
            pixels_CHW = transforms.decode(sample.image)
        except BrokenImageError:
            continue
        logits_BK = scorer.scores(picture.to_input(picture.crop(pixels_CHW)[None].to(device)))
        predictions.append(
            Prediction(
                pixels_CHW=pixels_CHW,
                captions=samples.captions(*place),
                labels=sample.labels,
                probabilities_K=scorer.probabilities(logits_BK[0].float()).cpu().numpy(),
            )
        )
    return predictions
