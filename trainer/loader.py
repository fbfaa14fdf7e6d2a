"""Plan + label set → batches, in this process or in workers, the same bytes either way.

Shapes: B samples of one rank, C = 3, H = W = image size, P positives (labels) of the whole batch.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from trainer import transforms
from trainer.losses.positives import Positives
from trainer.plan import Plan, rank_places
from trainer.samples import Sample, Samples

MAX_WORKERS = 16
_MAX_REPLACEMENTS = 100


class DataConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[data]`: how pictures become batches.

    min_scale: the smallest share of a picture's area that a random crop keeps. num_workers: processes per rank that
    decode; 0 decodes in the training process; "auto" takes 0 on a CPU, where they would compete with the step, and
    this rank's share of the cores on a GPU. max_bad_fraction: training stops when more of the pictures are broken.
    """

    min_scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.08
    num_workers: Annotated[int, msgspec.Meta(ge=0)] | Literal["auto"] = "auto"
    max_bad_fraction: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.01


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One rank's part of a step.

    images_BCHW: uint8. flips_B: bool, which images are to be mirrored. values_P: int64, the class ids of sample b
    being values_P[offsets[b]:offsets[b+1]]; offsets: int64 [B+1]. bad: names of the broken pictures that other
    samples had to replace.
    """

    images_BCHW: torch.Tensor
    flips_B: torch.Tensor
    values_P: torch.Tensor
    offsets: torch.Tensor
    bad: tuple[str, ...]

    def positives(self) -> Positives:
        """Where the dense target, which never exists, would hold ones."""
        rows = torch.arange(len(self.images_BCHW), device=self.offsets.device)
        counts = self.offsets.diff()
        return Positives(torch.repeat_interleave(rows, counts, output_size=len(self.values_P)), self.values_P)

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; from pinned memory the copy overlaps with computation."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory; DataLoader calls this by its name."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Batch":
        return Batch(
            images_BCHW=change(self.images_BCHW),
            flips_B=change(self.flips_B),
            values_P=change(self.values_P),
            offsets=change(self.offsets),
            bad=self.bad,
        )


@dataclass(kw_only=True)
class StepBatches(Dataset[Batch | CatlipError]):
    """Step number → this rank's batch of it.

    A sample's randomness is seeded by (seed, its place in the stream): neither workers nor ranks change a pixel. A
    broken picture gives its place to the next sample of the stream. Errors are returned, not raised, because a
    raised one would reach the main process wrapped in a worker's traceback.
    """

    label_set: LabelSet
    plan: Plan
    seed: int
    batch_size: int
    image_size: int
    min_scale: float
    unlabelled: Literal["keep", "drop"]
    max_shards: int
    rank: int = 0
    world_size: int = 1
    moved: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self._samples: Samples | None = None

    def __getstate__(self) -> dict[str, object]:
        """Without open files: their numbers mean nothing, or another file, in the worker that this goes to."""
        return vars(self) | {"_samples": None}

    def __getitem__(self, step: int) -> Batch | CatlipError:
        """The batch of `step`, or the error that must stop the run."""
        try:
            return self._batch(step)
        except CatlipError as error:
            return error

    def _batch(self, step: int) -> Batch:
        places = rank_places(step, batch_size=self.batch_size, rank=self.rank, world_size=self.world_size)
        size = self.image_size
        images_BCHW = torch.empty((len(places), 3, size, size), dtype=torch.uint8)
        flips: list[bool] = []
        labels: list[np.ndarray] = []
        bad: list[str] = []
        located = self.plan.locate(places.start, places.stop)
        for b, place in enumerate(places):
            sample, pixels_CHW = self._sample(place, located[b], bad)
            rng = np.random.default_rng((self.seed, place, 1))
            images_BCHW[b] = transforms.random_resized_crop(pixels_CHW, size, self.min_scale, rng)
            flips.append(bool(rng.random() < 0.5))
            labels.append(sample.labels)
        offsets = np.cumsum([0, *(len(values) for values in labels)])
        return Batch(
            images_BCHW=images_BCHW,
            flips_B=torch.tensor(flips),
            values_P=torch.from_numpy(np.concatenate(labels)),
            offsets=torch.from_numpy(offsets),
            bad=tuple(bad),
        )

    def _sample(self, place: int, located: np.ndarray, bad: list[str]) -> tuple[Sample, torch.Tensor]:
        """The first sample at or after `place` whose picture can be read; names of those passed over go to `bad`."""
        if self._samples is None:
            self._samples = Samples(
                self.label_set, unlabelled=self.unlabelled, moved=self.moved, max_shards=self.max_shards
            )
        for candidate in range(place + 1, place + 1 + _MAX_REPLACEMENTS):
            shard, nth = located.tolist()
            sample = self._samples.read(shard, nth)
            try:
                return sample, transforms.decode(sample.image)
            except transforms.BrokenImageError:
                bad.append(self._samples.name(shard, nth))
            located = self.plan.locate(candidate, candidate + 1)[0]
        raise CatlipError(f"{_MAX_REPLACEMENTS} pictures in a row are broken, for example {', '.join(bad[-3:])}.")


def batches(dataset: StepBatches, steps: range, *, num_workers: int, pin_memory: bool) -> Iterator[Batch]:
    """The batches of `steps`, in order. Raises the CatlipError that reading one of them met."""
    for item in parallel(dataset, steps, num_workers=num_workers, pin_memory=pin_memory):
        if isinstance(item, CatlipError):
            raise item
        yield item


def parallel(dataset: Dataset[Any], items: Sequence[int], *, num_workers: int, pin_memory: bool) -> Iterator[Any]:
    """`dataset[item]` for each item, in order, computed ahead by worker processes."""
    context = None
    if num_workers:
        # Not fork: this process has threads. The server imports torch once, and each worker then starts in no time.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["trainer.loader"])
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=None,
        sampler=items,
        num_workers=num_workers,
        pin_memory=pin_memory,
        multiprocessing_context=context,
        worker_init_fn=_start_worker if num_workers else None,
    )
    return iter(loader)


def worker_count(setting: int | Literal["auto"], device: torch.device, ranks_here: int) -> int:
    """`data.num_workers`, with "auto" resolved for a device and the number of ranks on this machine."""
    if setting != "auto":
        return setting
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS, max(1, cores // ranks_here))


def _start_worker(_index: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends the step first
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)  # nothing to save, and a thread cannot end its process in any gentler way
