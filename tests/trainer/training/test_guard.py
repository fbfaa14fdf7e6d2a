import math

import pytest

from labelshards.errors import CatlipError
from trainer.training.guard import LossGuard


def guard(factor: float = 10.0, patience: int = 3, scaled: bool = False, usual: int = 30) -> LossGuard:
    made = LossGuard(factor=factor, patience=patience, scaled=scaled)
    for step in range(usual):
        made.check(step, 2.0 + step % 2, 1.0)
    return made


def test_guard__a_loss_that_stays_out_of_range_stops() -> None:
    watching = guard()
    watching.check(31, 26.0, 1.0)
    watching.check(32, 1e4, 1.0)
    with pytest.raises(CatlipError, match=r"Step 33: loss 99; for 3 steps .* more than 10 times its median of 2.5"):
        watching.check(33, 99.0, 1.0)


def test_guard__a_loss_that_comes_back_goes_on() -> None:
    watching = guard()
    for step in range(40):
        watching.check(step, 1e4 if step % 3 else 2.0, 1.0)


def test_guard__a_new_run_has_no_usual_loss_yet() -> None:
    watching = guard(usual=0)
    for step, loss in enumerate([1.0, 100.0, 100.0, 100.0, 100.0]):
        watching.check(step, loss, 1.0)


def test_guard__off() -> None:
    watching = guard(factor=0)
    for step in range(10):
        watching.check(step, 1e9, 1.0)


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_guard__not_finite_stops_at_once(loss: float, norm: float) -> None:
    with pytest.raises(CatlipError, match=r"Step 7: loss .*try --set loop.precision=fp32"):
        guard().check(7, loss, norm)


def test_guard__fp16_may_overflow_but_not_for_ever() -> None:
    watching = guard(scaled=True)
    for step in range(49):
        watching.check(step, 2.0, math.inf)
    watching.check(49, 2.0, 1.0)
    for step in range(50, 99):
        watching.check(step, 2.0, math.nan)
    with pytest.raises(CatlipError, match="Step 99"):
        watching.check(99, 2.0, math.nan)
    with pytest.raises(CatlipError):
        guard(scaled=True).check(1, math.nan, 1.0)
