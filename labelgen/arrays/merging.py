"""Sorted numbers with their counts, by compiled loops."""

import numpy as np

from labelgen.arrays.native import native


@native
def count_equal(rising: np.ndarray, numbers: np.ndarray, counts: np.ndarray) -> int:
    """Write the different ones of `rising`, int64 ≥ 0, to `numbers`, how often each occurs to `counts`; how many."""
    end = 0
    last = -1
    for number in rising:
        if number != last:
            numbers[end], counts[end] = number, 0
            end += 1
            last = number
        counts[end - 1] += 1
    return end


@native
def add_runs(
    left: np.ndarray,
    of_left: np.ndarray,
    right: np.ndarray,
    of_right: np.ndarray,
    numbers: np.ndarray,
    counts: np.ndarray,
) -> int:
    """Merge two rising sequences of different numbers with their counts, all int64, into a third; its length."""
    at = beside = end = 0
    while at < len(left) and beside < len(right):
        # Which one is smaller cannot be foretold, so nothing branches on it.
        is_left, is_right = left[at] <= right[beside], right[beside] <= left[at]
        numbers[end] = min(left[at], right[beside])
        counts[end] = is_left * of_left[at] + is_right * of_right[beside]
        at += is_left
        beside += is_right
        end += 1
    for rest in range(at, len(left)):
        numbers[end], counts[end] = left[rest], of_left[rest]
        end += 1
    for rest in range(beside, len(right)):
        numbers[end], counts[end] = right[rest], of_right[rest]
        end += 1
    return end
