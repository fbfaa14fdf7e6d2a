"""Embeddings of all ranks, with gradients that find their way back; ranks may have different numbers of them.

Shapes: B rows of this rank, G of all ranks together, R of another one, M of the largest share, E numbers of each.
"""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import nn

from trainer.distributed import World
from trainer.stream.plan import share_sizes


def from_all(x_BE: torch.Tensor, batch_size: int, world: World) -> torch.Tensor:
    """[G, E]: the rows of all ranks, by rank. batch_size: of the step, G. All ranks must call this."""
    if world.size == 1:
        return x_BE
    sizes = share_sizes(batch_size, world.size)
    stacked: torch.Tensor = _Gather.apply(_padded(x_BE, max(sizes)), world.size)
    return torch.cat([share_ME[:size] for share_ME, size in zip(stacked.chunk(world.size), sizes, strict=True)])


def from_neighbours(x_BE: torch.Tensor, batch_size: int, world: World) -> Iterator[torch.Tensor]:
    """[R, E] of every other rank, one after the other: each hands on to the right what it got from the left.

    Gradients go back the same way (SigLIP, arXiv 2303.15343, section 3.3). All ranks must go through all of them.
    """
    sizes = share_sizes(batch_size, world.size)
    rows_ME = _padded(x_BE, max(sizes))
    for distance in range(1, world.size):
        rows_ME = _Shift.apply(rows_ME, world)
        yield rows_ME[: sizes[(world.rank - distance) % world.size]]


def _padded(x_BE: torch.Tensor, num_rows: int) -> torch.Tensor:
    """[num_rows, E]: collectives want the same shape on every rank."""
    return nn.functional.pad(x_BE, (0, 0, 0, num_rows - len(x_BE)))  # its pairs begin with the last axis


class _Gather(torch.autograd.Function):
    """[M, E] of each rank → [ranks · M, E] on all; a row's gradient is the sum of what all ranks have for it."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x_ME: torch.Tensor, world_size: int) -> torch.Tensor:
        found = x_ME.new_empty((world_size * len(x_ME), x_ME.shape[1]))
        dist.all_gather_into_tensor(found, x_ME.contiguous())
        return found

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        own = gradient.new_empty((len(gradient) // dist.get_world_size(), gradient.shape[1]))
        dist.reduce_scatter_tensor(own, gradient.contiguous())
        return own, None


class _Shift(torch.autograd.Function):
    """[M, E] goes to the next rank, and its gradient comes back."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x_ME: torch.Tensor, world: World) -> torch.Tensor:
        ctx.world = world  # type: ignore[attr-defined]
        return _passed_on(x_ME, world, 1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _passed_on(gradient, ctx.world, -1), None  # type: ignore[attr-defined]


def _passed_on(x_ME: torch.Tensor, world: World, step: int) -> torch.Tensor:
    # A gradient may lie transposed; what is sent is the memory as it lies.
    received = torch.empty_like(x_ME, memory_format=torch.contiguous_format)
    pairs = [
        dist.P2POp(dist.isend, x_ME.contiguous(), (world.rank + step) % world.size),
        dist.P2POp(dist.irecv, received, (world.rank - step) % world.size),
    ]
    # Both at once: where all wait with a send, nobody receives.
    for work in dist.batch_isend_irecv(pairs):
        work.wait()
    return received
