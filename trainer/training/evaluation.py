"""What a run's averaged weights say of held-out samples, on all ranks together.

Shapes: B images, N samples, K classes, J of them that occur among the samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import torch

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from trainer import transforms
from trainer.distributed import World, gather_to_main
from trainer.encoders.encoder import PictureInput
from trainer.encoders.models import ModelConfig
from trainer.label_metrics import mean_average_precisions
from trainer.objectives.texts import Scorer
from trainer.sheet import Prediction
from trainer.stream.samples import Sample, Samples
from trainer.transforms import BrokenImageError

_BATCH = 64
_TOP = 5


class EvalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[eval]`: what is measured on held-out samples while the run goes on. It changes no weight.

    labels: a label set with the run's vocabulary. every: steps between two evaluations. samples: at most so many of it,
    drawn once. pictures: so many are drawn on a sheet with their predictions; 0 draws none.
    """

    labels: str | None = None
    every: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    samples: Annotated[int, msgspec.Meta(ge=1)] = 5_000
    pictures: Annotated[int, msgspec.Meta(ge=0, le=200)] = 12


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One line of eval.jsonl.

    samples: held-out pictures that could be read. classes: that occur among them. mean_ap: over all of these, and over
    the most, middle and least frequent third of them in training. precision_at_1, precision_at_5: of the classes with
    the highest scores, the share that are labels.
    """

    step: int
    samples: int
    classes: int
    mean_ap: float
    mean_ap_head: float | None
    mean_ap_middle: float | None
    mean_ap_tail: float | None
    precision_at_1: float
    precision_at_5: float


class _Share(NamedTuple):
    """One rank's findings: float32 [N, J], bool [N, J], float64 [N, 2] (shares of labels among the first 1 and 5)."""

    scores_NJ: np.ndarray
    truth_NJ: np.ndarray
    precision_N2: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A held-out label set, ready to be asked again and again. narrow: the dtype of autocast, None for float32."""

    label_set: LabelSet
    samples: Samples
    places: list[tuple[int, int]]
    classes_J: np.ndarray
    config: EvalConfig
    picture: PictureInput
    narrow: torch.dtype | None
    world: World

    @classmethod
    def open(
        cls,
        config: EvalConfig,
        model_config: ModelConfig,
        narrow: torch.dtype | None,
        vocabulary_digest: str,
        world: World,
        moved: dict[str, str] | None,
    ) -> "Evaluation | None":
        """None if nothing is held out. Raises CatlipError if the label set has other classes, or no sample."""
        if config.labels is None:
            return None
        label_set = LabelSet.open(config.labels)
        if label_set.vocabulary.digest != vocabulary_digest:
            raise CatlipError(
                f"eval.labels = {config.labels} has another vocabulary than the run. "
                "Build it with --vocabulary of the run's label set."
            )
        samples = Samples([label_set], unlabelled="drop", moved=moved)
        total = len(samples)
        if not total:
            raise CatlipError(
                f"eval.labels = {config.labels} has no sample with an image and labels. Name another, or leave it out."
            )
        drawn = np.sort(np.random.default_rng(0).choice(total, size=min(total, config.samples), replace=False))
        places = [samples.place(number) for number in drawn.tolist()]
        classes = [samples.labels(*place) for place in places]
        return cls(
            label_set=label_set, samples=samples, places=places, classes_J=np.unique(np.concatenate(classes)),
            config=config, picture=PictureInput.of_run(model_config), narrow=narrow, world=world,
        )  # fmt: skip

    @torch.no_grad()
    def score(self, scorer: Scorer, step: int) -> tuple[Score | None, list[Prediction]]:
        """Of a model after `step` steps; the score and the predictions to be drawn are on the main rank alone.

        All ranks must call this. Raises CatlipError if no picture could be read.
        """
        pictures: list[Prediction] = []
        shares = gather_to_main(self._share(scorer, pictures), self.world)
        if shares is None:
            return None, []
        scores_NJ, truth_NJ, precision_N2 = (np.concatenate(parts) for parts in zip(*shares, strict=True))
        if not len(scores_NJ):
            raise CatlipError(
                f"No picture of eval.labels = {self.config.labels} can be read. `catlip labels verify --deep` says why."
            )
        means = mean_average_precisions(scores_NJ, truth_NJ, self.label_set.vocabulary.support[self.classes_J])
        return Score(
            step=step,
            samples=len(scores_NJ),
            classes=int(truth_NJ.any(axis=0).sum()),
            mean_ap=means["all"],
            mean_ap_head=means.get("head"),
            mean_ap_middle=means.get("middle"),
            mean_ap_tail=means.get("tail"),
            precision_at_1=float(precision_N2[:, 0].mean()),
            precision_at_5=float(precision_N2[:, 1].mean()),
        ), pictures

    def _share(self, scorer: Scorer, pictures: list[Prediction]) -> _Share:
        """This rank's samples; `pictures` takes predictions for the first of the main rank."""
        columns_J = torch.from_numpy(self.classes_J)
        # So that a rank without samples has something to join.
        found = [
            _Share(np.empty((0, len(columns_J)), np.float32), np.empty((0, len(columns_J)), bool), np.empty((0, 2)))
        ]
        size = self.picture.image_size
        for batch in self._batches():
            # An empty picture where this rank has none left: under FSDP all must compute.
            images_BCHW = torch.zeros((max(1, len(batch)), 3, size, size), dtype=torch.uint8)
            for b, (_, pixels_CHW, _) in enumerate(batch):
                images_BCHW[b] = self.picture.crop(pixels_CHW)
            x_BCHW = self.picture.to_input(images_BCHW.to(self.world.device))
            with torch.autocast(self.world.device.type, dtype=self.narrow, enabled=self.narrow is not None):
                logits_BK = scorer.scores(x_BCHW)
            logits_BK = logits_BK.float().cpu()[: len(batch)]
            if not batch:
                continue  # the other ranks had one
            top_BT = logits_BK.topk(min(_TOP, logits_BK.shape[1])).indices.numpy()
            labels = [sample.labels for sample, _, _ in batch]
            hits_BT = np.stack([np.isin(top, mine) for top, mine in zip(top_BT, labels, strict=True)])
            found.append(
                _Share(
                    scores_NJ=logits_BK[:, columns_J].numpy(),
                    truth_NJ=np.stack([np.isin(self.classes_J, mine) for mine in labels]),
                    precision_N2=np.stack([hits_BT[:, 0], hits_BT.mean(axis=1)], axis=1),
                )
            )
            for b, (sample, pixels_CHW, captions) in enumerate(batch[: self._wanted(len(pictures))]):
                probabilities_K = scorer.probabilities(logits_BK[b]).numpy()
                pictures.append(
                    Prediction(
                        pixels_CHW=pixels_CHW, captions=captions, labels=sample.labels, probabilities_K=probabilities_K
                    )
                )
        return _Share(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def _batches(self) -> Iterator[list[tuple[Sample, torch.Tensor, list[str]]]]:
        """This rank's samples, as many batches as every rank has: under FSDP all must compute at once."""
        mine = self.places[self.world.rank :: self.world.size]
        for start in range(0, -(-len(self.places) // self.world.size), _BATCH):
            batch = []
            for place in mine[start : start + _BATCH]:
                sample = self.samples.read(*place)
                try:
                    pixels_CHW = transforms.decode(sample.image)
                except BrokenImageError:
                    continue
                batch.append((sample, pixels_CHW, self.samples.captions(*place)))
            yield batch

    def _wanted(self, num: int) -> int:
        return max(0, self.config.pictures - num) if self.world.is_main else 0
