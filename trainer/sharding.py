"""FSDP2: every rank keeps a slice of each weight, of its average and of the optimiser's moments.

A tensor is *whole* (plain) or *sharded* (torch's DTensor); the rest of the trainer asks here which it is.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from trainer.distributed import World


def shard(root: nn.Module, towers: Sequence[nn.Module], world: World) -> None:
    """Slice the parameters of `root`, in which `towers` lie, over all ranks: a group for each block, one for the rest.

    Of several towers each is a group of its own beside its blocks, and is to be called by its forward pass.
    Weights stay float32, also while they travel, so that a step is that of DDP; autocast narrows the computing.
    """
    mesh = init_device_mesh(world.device.type, (world.size,))
    for tower in towers:
        # A ViT of timm, or a text tower of open_clip.
        for block in getattr(tower, "blocks", ()) or getattr(getattr(tower, "transformer", None), "resblocks", ()):
            fully_shard(block, mesh=mesh)
        if len(towers) > 1:
            fully_shard(tower, mesh=mesh)
    fully_shard(root, mesh=mesh, reshard_after_forward=True)


def local(tensors: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """What this rank has of each, of any shape; a slice of a sharded one is no copy."""
    return [tensor.to_local() if isinstance(tensor, DTensor) else tensor for tensor in tensors]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of any shape, put together if it is sharded; all ranks must call this for the same ones in one order."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: dict[str, torch.Tensor], *, keep: bool) -> dict[str, torch.Tensor]:
    """All of them whole, in main memory; empty on a rank that does not `keep` them. All ranks must call this."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        one = whole(tensor.detach())
        if keep:  # one by one: a rank that keeps nothing holds one whole tensor at a time
            found[name] = one.cpu()
    return found


def like(tensor: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """A tensor of any shape on the device of `reference`, sharded as that is; it comes whole or sharded."""
    tensor = tensor.to(reference.device)
    if isinstance(tensor, DTensor) or not isinstance(reference, DTensor):
        return tensor
    # Each rank cuts its own slice: nothing travels.
    return distribute_tensor(tensor, reference.device_mesh, reference.placements, src_data_rank=None)
