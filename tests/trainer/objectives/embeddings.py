"""Embeddings with a scale and a bias, and the losses of open_clip on them, called as ours are."""

from typing import Any, NamedTuple

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch.nn import functional as F

from trainer.distributed import World
from trainer.objectives.clip import CLIP
from trainer.objectives.pairs import PairLoss
from trainer.objectives.siglip import SIGLIP

PAIRS = {"clip": CLIP, "siglip": SIGLIP}


class Problem(NamedTuple):
    images: torch.Tensor
    texts: torch.Tensor
    scale: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def of(cls, batch_size: int) -> "Problem":
        """The same in every process. float64, so that 1e-6 is far from rounding."""
        generator = torch.Generator().manual_seed(batch_size)
        images, texts = torch.randn((2, batch_size, 5), generator=generator, dtype=torch.float64)
        return cls(images, texts, torch.tensor([3.0], dtype=torch.float64), torch.tensor([-2.0], dtype=torch.float64))

    def part(self, rows: slice) -> "Problem":
        return self._replace(images=self.images[rows], texts=self.texts[rows])


def gradients(problem: Problem, loss: PairLoss, mean_over: float, world: World) -> dict[str, torch.Tensor]:
    """The loss, and its gradient by each part of the problem, before vectors are made as long as 1."""
    parts = Problem(*(tensor.clone().requires_grad_() for tensor in problem))
    found = loss(
        F.normalize(parts.images, dim=-1), F.normalize(parts.texts, dim=-1), parts.scale, parts.bias, mean_over, world
    )
    found.backward()  # type: ignore[no-untyped-call]
    by_name = {
        name: torch.zeros_like(part) if part.grad is None else part.grad for name, part in parts._asdict().items()
    }
    return {"loss": found.detach(), **by_name}


def theirs(kind: str, world: World) -> PairLoss:
    """open_clip's loss: a mean over the rows of one process."""
    ranks: dict[str, Any] = {"rank": world.rank, "world_size": world.size}
    clip = ClipLoss(local_loss=True, gather_with_grad=True, **ranks)
    siglip = SigLipLoss(**ranks, dist_impl="shift")

    def loss(
        images_BE: torch.Tensor,
        texts_BE: torch.Tensor,
        scale: torch.Tensor,
        bias: torch.Tensor | None,
        _mean_over: float,
        _world: World,
    ) -> torch.Tensor:
        found: torch.Tensor = (
            clip(images_BE, texts_BE, scale) if kind == "clip" else siglip(images_BE, texts_BE, scale, bias)
        )
        return found

    return loss
