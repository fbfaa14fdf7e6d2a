"""Loss kernels, and head with loss, against dense int64 targets."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.train_throughput.measuring import Measured, timed
from trainer.losses.config import Loss, LossConfig
from trainer.losses.positives import Positives

B, D, K = 1_024, 768, 24_320
_LABELS = 3.3  # a sample, as in CC3M

KERNELS = (
    "dense: int64 targets, torch's binary cross-entropy",
    "bce",
    "asymmetric",
    "softmax",
    "two-way",
)
HEADS = {
    "dense head, dense int64 targets": None,
    "dense head, bce": LossConfig(),
    "fused head and bce": LossConfig(fused=True),
    "dense head, softmax": LossConfig(kind="softmax"),
    "fused head and softmax": LossConfig(kind="softmax", fused=True),
    "dense head, two-way": LossConfig(kind="two-way"),
    "fused head and two-way": LossConfig(kind="two-way", fused=True),
}


class _Made(torch.autograd.Function):
    """Logits as a head makes them, which needs nothing of them again and takes their gradient in."""

    @staticmethod
    def forward(_ctx: object, logits_BK: torch.Tensor) -> torch.Tensor:
        return logits_BK.clone()

    @staticmethod
    def backward(_ctx: object, _grad_BK: torch.Tensor) -> None:
        return None


class _Given(nn.Linear):
    """A head whose logits are there already."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def positives() -> Positives:
    generator = torch.Generator().manual_seed(0)
    flat = torch.randperm(B * K, generator=generator)[: round(B * _LABELS)].sort().values
    return Positives(flat // K, flat % K)


def dense(logits_BK: torch.Tensor, found: Positives) -> torch.Tensor:
    """Scalar: the loss as everybody writes it, over a target of zeros and ones, [B, K]."""
    targets_BK = torch.zeros(logits_BK.shape, dtype=torch.int64)
    targets_BK[found] = 1
    return F.binary_cross_entropy_with_logits(logits_BK, targets_BK.to(logits_BK.dtype), reduction="sum") / B


def kernel(name: str, dtype: str) -> Measured:
    """Forward and backward over logits of the kind that training has. Making the logits is not measured."""
    found = positives()
    logits_BK = (torch.randn((B, K), generator=torch.Generator().manual_seed(1)) * 2 - 7).to(getattr(torch, dtype))
    loss = _kernel(name, found)

    def prepare() -> torch.Tensor:
        made: torch.Tensor = _Made.apply(logits_BK.detach().requires_grad_())
        return made

    return timed(prepare, lambda x_BK: torch.autograd.backward(loss(x_BK)), repeats=3)


def _kernel(name: str, found: Positives) -> Callable[[torch.Tensor], torch.Tensor]:
    if name.startswith("dense"):
        return lambda x_BK: dense(x_BK, found)
    loss, head = Loss(config=LossConfig(kind=name), weights_K=None), _Given(1, 1)  # type: ignore[arg-type]
    return lambda x_BK: loss(x_BK, head, found, B)


def head(name: str) -> Measured:
    """Forward and backward of the classifier and the loss behind it."""
    found = positives()
    torch.manual_seed(0)
    features_BD = torch.randn((B, D)).requires_grad_()
    linear = nn.Linear(D, K)
    nn.init.trunc_normal_(linear.weight, std=0.02)
    nn.init.constant_(linear.bias, -7.0)
    config = HEADS[name]
    loss = config and Loss(config=config, weights_K=None)

    def prepare() -> None:
        features_BD.grad = linear.weight.grad = linear.bias.grad = None

    def work(_: None) -> None:
        value = loss(features_BD, linear, found, B) if loss else dense(linear(features_BD), found)
        value.backward()

    return timed(prepare, work, repeats=2)
