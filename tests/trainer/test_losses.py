import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import losses
from trainer.losses import sparse_bce


def dense_bce(logits: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """The same loss the usual way, in float64."""
    targets = torch.zeros(logits.shape, dtype=torch.float64)
    targets[rows, columns] = 1
    return F.binary_cross_entropy_with_logits(logits.double(), targets, reduction="sum") / len(logits)


def problem(batch: int, classes: int, positives: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((batch, classes), generator=generator) * 4
    flat = torch.randperm(batch * classes, generator=generator)[:positives]
    return logits, flat // classes, flat % classes


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 40), st.floats(0, 1), st.integers(0, 99), st.sampled_from([1, 64, 1 << 20]))
def test_sparse_bce__equals_the_dense_loss(batch: int, classes: int, share: float, seed: int, block: int) -> None:
    logits, rows, columns = problem(batch, classes, int(share * batch * classes), seed)
    mine, reference = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "_BLOCK_ELEMENTS", block)
        loss = sparse_bce(mine, rows, columns)
        loss.backward()  # type: ignore[no-untyped-call]
    expected = dense_bce(reference, rows, columns)
    expected.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-6, atol=1e-6)


def test_sparse_bce__gradient_is_exact() -> None:
    logits, rows, columns = problem(3, 7, 5)
    assert torch.autograd.gradcheck(lambda x: sparse_bce(x, rows, columns) * 1.7, logits.double().requires_grad_())


@pytest.mark.parametrize("extreme", [-100.0, 100.0])
def test_sparse_bce__extreme_logits_stay_finite(extreme: float) -> None:
    logits = torch.full((2, 3), extreme, requires_grad=True)
    rows, columns = torch.tensor([0]), torch.tensor([1])
    loss = sparse_bce(logits, rows, columns)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss.double(), dense_bce(logits.detach(), rows, columns))
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_sparse_bce__no_positive_at_all() -> None:
    nothing = torch.empty(0, dtype=torch.int64)
    logits = torch.zeros((4, 5), requires_grad=True)
    loss = sparse_bce(logits, nothing, nothing)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(loss, torch.tensor(5 * 0.6931472))
    torch.testing.assert_close(logits.grad, torch.full((4, 5), 0.125))


def test_sparse_bce__bfloat16_logits_are_summed_in_float() -> None:
    logits, rows, columns = problem(8, 3000, 40)
    narrow = logits.bfloat16().requires_grad_()
    loss = sparse_bce(narrow, rows, columns)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), dense_bce(narrow.detach(), rows, columns), rtol=1e-6, atol=0)
    reference = narrow.detach().double().requires_grad_()
    dense_bce(reference, rows, columns).backward()  # type: ignore[no-untyped-call]
    assert reference.grad is not None
    torch.testing.assert_close(narrow.grad, reference.grad.bfloat16(), rtol=0.01, atol=1e-6)
