"""One process or many: who we are under torchrun, and what ranks tell each other."""

import datetime
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import msgspec
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from labelshards.errors import CatlipError, first_line


class DistributedConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[distributed]`: how several processes share a run. None of it changes what is computed.

    strategy: "ddp", every process has all weights; "fsdp", each has a slice of all that training keeps (FSDP2).
    sharded_checkpoints: under fsdp, each process writes its own slice. timeout_seconds: how long processes wait for one
    that does not answer.
    """

    strategy: Literal["ddp", "fsdp"] = "ddp"
    sharded_checkpoints: bool = False
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 600.0


T = TypeVar("T")


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
def joined(timeout_seconds: float = DistributedConfig().timeout_seconds) -> Iterator[World]:
    """Join the processes that torchrun started (gloo on CPUs, NCCL on GPUs), or be alone if it did not.

    Raises CatlipError if the others do not come, die, or do not answer for so long.
    """
    device = default_device(int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        yield World(device=device)
        return
    if missing := [name for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise CatlipError(
            f"RANK is {os.environ['RANK']}, but there is no {' and no '.join(missing)} by which processes find "
            "each other. Start them with torchrun, which sets all, or unset RANK to run alone."
        )
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout_seconds))
    except (dist.DistError, ValueError) as error:
        raise CatlipError(
            f"Process {os.environ['RANK']} of {os.environ.get('WORLD_SIZE', '?')} could not join the others within "
            f"{timeout_seconds:g} s ({first_line(error)}). See that all are started, and reach "
            f"{os.environ.get('MASTER_ADDR', 'MASTER_ADDR')}:{os.environ.get('MASTER_PORT', 'MASTER_PORT')}."
        ) from error
    try:
        yield World(
            device=device,
            rank=dist.get_rank(),
            size=dist.get_world_size(),
            ranks_here=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    except RuntimeError as error:
        said = str(error).lower()
        # torch has no type for it; that it is about other processes the text alone tells.
        if not any(backend in said for backend in ("gloo", "nccl")):
            raise
        if "timed out" in said or "timeout" in said:
            raise CatlipError(
                f"Another process of this run has not answered for {timeout_seconds:g} s "
                "(distributed.timeout_seconds). Run the same command to go on from the last checkpoint."
            ) from error
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
    # Gradients lie where they are sent from, so they are there once.
    return DistributedDataParallel(model, gradient_as_bucket_view=True) if world.size > 1 else model


def sum_over_ranks(values: Sequence[float], world: World) -> list[float]:
    """Each value summed over all ranks, the same float64 result on every rank. All ranks must call this."""
    if world.size == 1:
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=world.device)
    dist.all_reduce(total)
    return total.tolist()


def gather_to_main(value: T, world: World) -> list[T] | None:
    """Every rank's value on the main rank, by rank; None on the others. All ranks must call this."""
    if world.size == 1:
        return [value]
    values: list[T] | None = [value] * world.size if world.is_main else None
    dist.gather_object(value, values)
    return values


def on_all(value: T, world: World) -> list[T]:
    """Every rank's value on every rank, by rank. All ranks must call this."""
    if world.size == 1:
        return [value]
    values: list[T] = [value] * world.size
    dist.all_gather_object(values, value)
    return values


def wait_for_all(world: World) -> None:
    """Return when every rank has come here."""
    sum_over_ranks([0.0], world)
