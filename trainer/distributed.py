"""One process or many: who we are under torchrun, and what ranks tell each other."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


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
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local_rank) if torch.cuda.is_available() else torch.device("cpu")
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
    finally:
        dist.destroy_process_group()


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
