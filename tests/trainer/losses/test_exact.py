"""Each loss against the dense one in float64: values and gradients."""

from dataclasses import dataclass
from functools import partial

import msgspec
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.trainer.losses import dense
from trainer.losses import pieces, positives
from trainer.losses.config import Loss, LossConfig
from trainer.losses.positives import Positives


@dataclass(frozen=True)
class Case:
    """A loss with its reference."""

    config: LossConfig
    reference: dense.Dense
    weighted: bool = False

    def __call__(self, logits_BK: torch.Tensor, found: Positives, mean_over: float) -> torch.Tensor:
        """The loss of logits: those of a head that is the identity."""
        loss: torch.Tensor = self.loss(logits_BK.shape[1])(logits_BK, Through(), found, mean_over)
        return loss

    def loss(self, num_classes: int) -> Loss:
        return Loss(config=self.config, weights_K=self.weights(num_classes))

    def weights(self, num_classes: int) -> torch.Tensor | None:
        generator = torch.Generator().manual_seed(1)
        return torch.rand(num_classes, generator=generator) + 0.5 if self.weighted else None


class Through(nn.Linear):
    """A head that gives its input on, as a tensor of its own."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1


CASES = {
    "bce": Case(LossConfig(), dense.bce),
    "bce-weighted": Case(LossConfig(class_weights="idf"), dense.bce, weighted=True),
    "asymmetric": Case(LossConfig(kind="asymmetric", gamma_positive=1.0), dense.asymmetric),
    "asymmetric-weighted": Case(LossConfig(kind="asymmetric", gamma_positive=1.0), dense.asymmetric, weighted=True),
    "asymmetric-linear": Case(
        LossConfig(kind="asymmetric", gamma_positive=1.0, gamma_negative=1.0),
        partial(dense.asymmetric, gamma_negative=1.0),
    ),
    "softmax": Case(LossConfig(kind="softmax"), dense.softmax),
    "softmax-weighted": Case(LossConfig(kind="softmax"), dense.softmax, weighted=True),
    "two-way": Case(LossConfig(kind="two-way"), dense.two_way),
}


def backward(loss: torch.Tensor) -> torch.Tensor:
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


def far(found: torch.Tensor | None, expected: torch.Tensor) -> float:
    """Distance by the expected one's length."""
    assert found is not None
    return float((found.double() - expected).norm() / expected.norm().clamp(min=1e-30))


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(
    batch=st.integers(1, 9),
    classes=st.integers(1, 40),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
    block=st.sampled_from([1, 64, 1 << 20]),
)
def test_loss__equals_the_dense_one(name: str, batch: int, classes: int, share: float, seed: int, block: int) -> None:
    logits, found = dense.problem(batch, classes, share, seed)
    mine = logits.clone().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(positives, "_CPU_ELEMENTS", block)
        loss = backward(CASES[name](mine, found, batch))
    expected, gradient = dense.value_and_gradient(CASES[name].reference, logits, found, CASES[name].weights(classes))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-9)
    assert far(mine.grad, gradient) <= 1e-6


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25)
@given(
    batch=st.integers(1, 9),
    classes=st.integers(1, 40),
    features=st.integers(1, 5),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
    piece=st.sampled_from([1, 7, 512]),
)
def test_fused__equals_the_dense_one(
    name: str, batch: int, classes: int, features: int, share: float, seed: int, piece: int
) -> None:
    """Small whole numbers make the products exact, so that the loss alone is compared."""
    _, found = dense.problem(batch, classes, share, seed)
    generator = torch.Generator().manual_seed(seed)
    h_BD, w_KD, b_K = (
        torch.randint(-3, 4, shape, generator=generator) / 2
        for shape in ((batch, features), (classes, features), (classes,))
    )
    head = nn.Linear(features, classes)
    with torch.no_grad():
        head.weight.copy_(w_KD)
        head.bias.copy_(b_K)
    mine = h_BD.clone().requires_grad_()
    case = CASES[name]
    config = msgspec.structs.replace(case.config, fused=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_CPU_PIECE", piece)
        loss = backward(Loss(config=config, weights_K=case.weights(classes))(mine, head, found, batch / 2))
    logits = F.linear(h_BD, w_KD, b_K)
    expected, gradient = dense.value_and_gradient(case.reference, logits, found, case.weights(classes))
    torch.testing.assert_close(loss.double(), 2 * expected, rtol=1e-6, atol=1e-9)
    for tensor, a, b in (
        (mine, gradient, w_KD),
        (head.weight, gradient.T, h_BD),
        (head.bias, gradient.T, torch.ones((batch, 1))),
    ):
        # By the length of what is summed: a sum that is nearly 0 has no digits of its own.
        expected, size = (2 * product.reshape(tensor.shape) for product in (a @ b.double(), a.abs() @ b.double().abs()))
        assert tensor.grad is not None
        assert (tensor.grad - expected).norm() <= 1e-6 * size.norm()


@pytest.mark.parametrize("name", CASES)
def test_loss__gradient_is_scaled_by_what_comes_from_above(name: str) -> None:
    logits, found = dense.problem(4, 9, 0.2)
    once, scaled = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    backward(CASES[name](once, found, 4))
    backward(CASES[name](scaled, found, 4) * 1.7)
    assert once.grad is not None
    torch.testing.assert_close(scaled.grad, once.grad * 1.7)


@pytest.mark.parametrize("name", CASES)
def test_loss__at_the_size_of_a_vocabulary(name: str) -> None:
    logits, found = dense.problem(16, 24_320, 2e-4)
    mine = (logits / 4 - 8).requires_grad_()
    loss = backward(CASES[name](mine, found, 16))
    expected, gradient = dense.value_and_gradient(CASES[name].reference, mine, found, CASES[name].weights(24_320))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    assert far(mine.grad, gradient) <= 1e-6


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("extreme", [-100.0, 100.0])
def test_loss__extreme_logits_stay_finite(name: str, extreme: float) -> None:
    logits = torch.full((2, 3), extreme, requires_grad=True)
    found = Positives(torch.tensor([0]), torch.tensor([1]))
    loss = backward(CASES[name](logits, found, 2))
    expected, gradient = dense.value_and_gradient(CASES[name].reference, logits, found, CASES[name].weights(3))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(logits.grad, gradient.float())


@pytest.mark.parametrize("name", CASES)
def test_loss__no_positive_at_all(name: str) -> None:
    logits, found = dense.problem(4, 5, 0.0)
    mine = logits.requires_grad_()
    loss = backward(CASES[name](mine, found, 4))
    expected, gradient = dense.value_and_gradient(CASES[name].reference, logits, found, CASES[name].weights(5))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    assert far(mine.grad, gradient) <= 1e-6


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
def test_loss__narrow_logits_are_summed_in_float32(name: str, narrow: torch.dtype) -> None:
    logits, found = dense.problem(8, 3000, 2e-3)
    mine = logits.to(narrow).requires_grad_()
    loss = backward(CASES[name](mine, found, 8))
    expected, gradient = dense.value_and_gradient(CASES[name].reference, mine, found, CASES[name].weights(3000))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(mine.grad, gradient.to(narrow), rtol=torch.finfo(narrow).eps, atol=1e-7)


def test_loss__many_narrow_logits_do_not_get_lost() -> None:
    """A sum in bfloat16 would stop growing at 256."""
    logits = torch.full((1, 100_000), -6.0, dtype=torch.bfloat16)
    found = Positives(torch.tensor([0]), torch.tensor([7]))
    loss = CASES["bce"](logits, found, 1)
    assert float(loss) == pytest.approx(100_000 * 0.00247569 + 6, rel=1e-5)


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"two-way"}))  # which compares the samples of a batch
def test_loss__parts_of_a_batch_add_up(name: str) -> None:
    logits, found = dense.problem(6, 50, 0.1)
    whole = CASES[name](logits, found, 6)
    cut = []
    for start, stop in ((0, 2), (2, 6)):
        inside = (found.rows_P >= start) & (found.rows_P < stop)
        part = Positives(found.rows_P[inside] - start, found.columns_P[inside])
        cut.append(CASES[name](logits[start:stop], part, 6))
    torch.testing.assert_close(torch.stack(cut).sum(), whole, rtol=1e-6, atol=0)


def test_loss__logits_that_are_used_again_are_an_error_not_a_wrong_number() -> None:
    logits, found = dense.problem(3, 5, 0.2)
    leaf = logits.requires_grad_()
    loss = CASES["bce"](leaf, found, 3)
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


def test_fused__gives_its_gradients_once() -> None:
    head = nn.Linear(3, 5)
    found = Positives(torch.tensor([0]), torch.tensor([4]))
    loss = Loss(config=LossConfig(fused=True), weights_K=None)(torch.ones((2, 3)), head, found, 2)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="gives its gradients once"):
        loss.backward(retain_graph=True)


@pytest.mark.parametrize("config", [LossConfig(), LossConfig(fused=True), LossConfig(kind="softmax", fused=True)])
def test_loss__without_gradients_nothing_is_written(config: LossConfig) -> None:
    logits, found = dense.problem(3, 5, 0.2)
    head = nn.Linear(5, 5)
    before = logits.clone()
    with torch.no_grad():
        loss = Loss(config=config, weights_K=None)(logits, head, found, 3)
        reference = CASES[config.kind].reference
        expected, _ = dense.value_and_gradient(reference, head(logits), found)
    assert torch.equal(logits, before)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
