"""One process or many: who we are under torchrun, and what ranks tell each other."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from labelshards.errors import CatlipError


@dataclass(frozen=True, kw_only=True)
class World:
    """This process among all. ranks_here: processes on this machine."""

    device: torch.device
    rank: int = 0
    size: int = 1
    ranks_here: int = 1

    @property
    def is_main(self) -> bool:
        """True in the one process that writes files and speaks."""
        return self.rank == 0


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started (gloo on CPUs, NCCL on GPUs), or be alone if it did not."""
    device = default_device(int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        yield World(device=device)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(
            device=device,
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            ranks_here=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    except RuntimeError as error:
        if not any(backend in str(error).lower() for backend in ("gloo", "nccl")):
            raise
        raise CatlipError(
            "Another process of this run has died; its own last words say why. "
            "Run the same command to go on from the last checkpoint."
        ) from error
    finally:
        dist.destroy_process_group()


def default_device(index: int = 0) -> torch.device:
    """GPU number `index`, or the CPU where there is no GPU."""
    return torch.device("cuda", index) if torch.cuda.is_available() else torch.device("cpu")


def replicate(model: nn.Module, world: World) -> nn.Module:
    """`model`, its gradients averaged over all ranks."""
    return DistributedDataParallel(model, gradient_as_bucket_view=True) if world.size > 1 else model


def sum_over_ranks(values: Sequence[float], world: World) -> list[float]:
    """Each value summed over all ranks, the same float64 result on every rank. All ranks must call this."""
    if world.size == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=world.device)
    dist.all_reduce(total)
    return total.tolist()


def wait_for_all(world: World) -> None:
    """Return when every rank has come here."""
    sum_over_ranks([0.0], world)
