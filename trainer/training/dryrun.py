"""How fast a run would be, before it is one: loader and step measured by themselves, on the real data and recipe."""

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence

import msgspec
import torch

from trainer.config import Config
from trainer.distributed import World
from trainer.stream import loader
from trainer.stream.batch import Batch
from trainer.stream.data import Data
from trainer.training.assembly import assemble, check
from trainer.training.stepper import Stepper
from trainer.workers import worker_count

_SECONDS = 6.0  # for the loader, and again for the step
_WARM_UP = 2  # what is compiled or allocated at first is no part of a rate


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of one rank.

    loader_images_per_second: of all its loader processes, or of the trainer's own where there are none.
    step_images_per_second: forward, backward and optimiser. images_per_second: what a run would reach. cores_needed:
    loader processes, a core each, that keep up with the step. bound_by: "loader" or "step".
    """

    device: str
    num_workers: int
    batch_size: int
    image_size: int
    loader_images_per_second: float
    step_images_per_second: float
    images_per_second: float
    cores_needed: float
    bound_by: str


def judge(*, device: str, num_workers: int, batch_size: int, image_size: int, loader: float, step: float) -> DryRun:
    """What follows from the two rates."""
    # Without loader processes one follows the other; with them the slower one decides.
    together = min(loader, step) if num_workers else 1 / (1 / loader + 1 / step)
    return DryRun(
        device=device,
        num_workers=num_workers,
        batch_size=batch_size,
        image_size=image_size,
        loader_images_per_second=loader,
        step_images_per_second=step,
        images_per_second=together,
        cores_needed=step / (loader / max(1, num_workers)),
        bound_by="loader" if loader < step else "step",
    )


def measure(
    config: Config,
    *,
    labels: Sequence[str],
    world: World,
    moved: dict[str, str] | None = None,
    seconds: float = _SECONDS,
    on_phase: Callable[[str], None] = lambda _: None,
) -> DryRun:
    """Load, then train on one batch again and again, each for some `seconds`; nothing is written.

    The step is measured at the first one's resolution. on_phase: told what is measured now. Raises CatlipError for
    what would stop a run.
    """
    data = Data.open(config, labels, world, moved)
    num_workers = worker_count(config.data.num_workers, world.device, world.ranks_here)
    steps = data.reader.steps
    check(config, steps, world.size)
    step = Stepper(assemble(config, data.prior_K, steps.image_sizes(), world), steps)
    on_phase("Measuring the loader")
    # As many steps as there is time for.
    source = loader.batches(data.reader, range(sys.maxsize), num_workers=num_workers, pin_memory=False)
    batch = _kept(next(source))
    loading = _rate(lambda: len(next(source).images_BCHW), seconds)
    on_phase("Measuring the step")
    stepping = _rate(lambda: _step(step, batch, world.device), seconds)
    return judge(
        device=str(world.device),
        num_workers=num_workers,
        batch_size=len(batch.images_BCHW),
        image_size=batch.images_BCHW.shape[-1],
        loader=loading,
        step=stepping,
    )


def _rate(work: Callable[[], int], seconds: float) -> float:
    """Images per second of `work`, which returns how many it has done."""
    for _ in range(_WARM_UP):
        work()
    start = time.perf_counter()
    num = work()
    while (elapsed := time.perf_counter() - start) < seconds:
        num += work()
    return num / elapsed


def _kept(batch: Batch) -> Batch:
    """One that stays as it is when the next is asked for."""
    return dataclasses.replace(batch, images_BCHW=batch.images_BCHW.clone(), tokens_BT=batch.tokens_BT.clone())


def _step(step: Callable[[int, Batch], object], batch: Batch, device: torch.device) -> int:
    step(0, batch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # otherwise only the launches would be timed
    return len(batch.images_BCHW)
