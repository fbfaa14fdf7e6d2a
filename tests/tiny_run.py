"""Runs that take a second: a tiny encoder, a watcher that remembers."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import torch

from trainer.config import load
from trainer.distributed import World
from trainer.metrics import Metrics
from trainer.training.session import Outcome, Start
from trainer.training.train import train

# Tests run beside each other; and the sums of one thread are the same everywhere.
torch.set_num_threads(1)

TINY = [
    "model.name=vit_tiny_patch16_224",
    "model.image_size=32",
    "model.kwargs={depth=2, embed_dim=32, num_heads=2, drop_path_rate=0.2}",
    "plan.batch_size=8",
    "plan.steps=12",
    "optim.lr=3e-3",
    "loop.log_every=4",
    "loop.checkpoint_every=4",
]


class Recorder:
    """A watcher that remembers, and sends this process a signal after some step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.started: list[Start] = []
        self.metrics: list[Metrics] = []
        self.steps: list[int] = []
        self._stop_after = stop_after

    def start(self, start: Start) -> None:
        self.started.append(start)

    def update(self, metrics: Metrics | None, step: int) -> None:
        self.steps.append(step)
        if metrics:
            self.metrics.append(metrics)
        if step == self._stop_after:
            os.kill(os.getpid(), signal.SIGTERM)


def go(
    labels: Path, out: Path, *overrides: str, watcher: Recorder | None = None, allow_change: Sequence[str] = ()
) -> Outcome:
    world = World(device=torch.device("cpu"))
    watcher = watcher or Recorder()
    config = load(None, [*TINY, *overrides])
    return train(config, labels=[str(labels)], out=out, world=world, watcher=watcher, allow_change=allow_change)
