"""When a loss says that training has gone wrong."""

import math
import statistics
from collections import deque

from labelshards.errors import CatlipError

ADVICE = "Lower optim.lr or lengthen optim.warmup_steps; under bf16 and fp16, try --set loop.precision=fp32."
_MEMORY = 512
_FEWEST = 20
_MAX_OVERFLOWS = 50


class LossGuard:
    """Watches losses step by step.

    factor, patience: a loss above `factor` times the median of the last 512 usual ones for `patience` steps in a row
    has left its range; factor 0 turns this off. scaled: gradients are those of fp16, which may overflow now and then.
    advice: what a person may do when a loss or gradient is not finite.
    """

    def __init__(self, *, factor: float, patience: int, scaled: bool, advice: str = ADVICE) -> None:
        self._factor = factor
        self._patience = patience
        self._scaled = scaled
        self._advice = advice
        self._usual: deque[float] = deque(maxlen=_MEMORY)
        self._high = 0
        self._overflows = 0

    def check(self, step: int, loss: float, grad_norm: float) -> None:
        """Take in step number `step` (counted from 1). Raises CatlipError if training cannot go on after it."""
        overflow = not math.isfinite(grad_norm)
        self._overflows = self._overflows + 1 if overflow else 0
        if not math.isfinite(loss) or (overflow and not self._scaled) or self._overflows == _MAX_OVERFLOWS:
            raise CatlipError(
                f"Step {step}: loss {loss:g}, gradient norm {grad_norm:g}; training cannot go on. {self._advice}"
            )
        if self._factor and len(self._usual) >= _FEWEST and loss > self._factor * statistics.median(self._usual):
            self._high += 1
        else:
            self._high = 0
            self._usual.append(loss)
        if self._high == self._patience:
            raise CatlipError(
                f"Step {step}: loss {loss:g}; for {self._high} steps it has been more than {self._factor:g} times its "
                f"median of {statistics.median(self._usual):g}. Lower optim.lr, or raise loop.spike_factor."
            )
