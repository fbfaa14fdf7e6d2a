"""Ranges of numbers, side by side."""

import numpy as np


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64: `lengths` numbers from each of `starts` on, one range after the other."""
    before = np.cumsum(lengths) - lengths
    numbers = np.repeat(starts - before, lengths)
    numbers += np.arange(len(numbers))
    return numbers
