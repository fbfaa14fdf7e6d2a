"""What a probe is given, made of features alone; and what a person asks, of models and data."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from trainer.encoders.encoder import Encoder, PictureInput
from trainer.opening import PRETRAINED, RANDOM, open_model
from trainer.probes.data.folder import PictureFiles
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples
from trainer.probes.probe import Asked, Case
from trainer.probes.probing import Report, measure
from trainer.probes.results import Result
from trainer.probes.tasks import TASKS

CPU = torch.device("cpu")


def case_of(train: Examples, test: Examples, num_classes: int = 6) -> Case:
    pictures = PictureFiles(root=Path(), paths=())
    classes = [f"class{number}" for number in range(num_classes)]
    picture = PictureInput(image_size=1, mean=(0, 0, 0), std=(1, 1, 1))
    return Case(
        encoder=Encoder(model=nn.Identity(), picture=picture, device=CPU),
        splits=(
            Split.of_one(pictures, classes, train.class_ids),
            Split.of_one(pictures, classes, test.class_ids),
        ),
        features=(train, test),
        device=CPU,
    )


def ask(model: Path | str, data: Path, out: Path, splits: tuple[Split, Split] | None = None) -> Asked:
    """Of a folder, or of a model of timm with random weights; nothing stands beside it."""
    return Asked(
        opened=open_model(str(model), PRETRAINED if isinstance(model, Path) else RANDOM, CPU),
        splits=splits or open_splits(data),
        data=data,
        out=out,
        with_random=False,
    )


def silent(_done: int, _total: int, _what: str) -> None:
    """Report to nobody."""


def probe_all(asked: Asked, tasks: Sequence[str], report: Report = silent) -> list[Result]:
    """The results of all probes of these tasks."""
    return measure(asked, [probe for task in tasks for probe in TASKS[task](asked)], report)


def probe_one(asked: Asked, task: str, report: Report = silent) -> Result:
    """The result of a task that has one probe."""
    [result] = probe_all(asked, [task], report)
    return result
