"""The numbers of a run, also where people like to look at them: TensorBoard, Weights & Biases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from PIL import Image

from labelshards import storage


class TrackingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tracking]`: who is told besides metrics.jsonl.

    tensorboard: event files in RUN/tensorboard; needs the extra `tracking`. wandb: "offline" writes into RUN/wandb,
    "online" also sends, to `project`; needs the extra `wandb`.
    """

    tensorboard: bool = False
    wandb: Literal["off", "offline", "online"] = "off"
    project: str = "catlip"


class Tracker(Protocol):
    """Who is told."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers by name, after `step` steps."""

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        """A picture, after `step` steps."""

    def close(self) -> None:
        """Write what is left."""


def open_trackers(config: TrackingConfig, out: Path, settings: dict[str, Any], start_step: int) -> list[Tracker]:
    """The trackers that the recipe asks for. settings: the run's. start_step: what was logged after it is forgotten.

    Raises ModuleNotFoundError if the extra is not installed.
    """
    trackers: list[Tracker] = []
    if config.tensorboard:
        trackers.append(_TensorBoard(out / "tensorboard", start_step))
    if config.wandb != "off":
        trackers.append(_Wandb(config.wandb, config.project, out, settings))
    return trackers


class _TensorBoard:
    def __init__(self, folder: Path, start_step: int) -> None:
        import tensorboard  # noqa: F401  (its absence is named here; torch's own error names no package)
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=start_step + 1 if start_step else None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        self._writer.add_image(name, np.asarray(image), step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """A run that goes on is one run there, too: it is named by where it lies."""

    def __init__(self, mode: Literal["offline", "online"], project: str, out: Path, settings: dict[str, Any]) -> None:
        import wandb

        self._image = wandb.Image
        self._run = wandb.init(
            project=project,
            name=out.name,
            id=storage.digest(str(out.resolve()).encode()),
            resume="allow",
            dir=str(out),
            mode=mode,
            config=settings,
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        self._run.log({name: self._image(image)}, step=step)

    def close(self) -> None:
        self._run.finish()
