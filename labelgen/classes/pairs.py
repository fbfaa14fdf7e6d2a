"""Pairs of classes in samples, counted by a compiled loop."""

import numpy as np

from labelgen.arrays.native import native


@native
def count_pairs(
    offsets: np.ndarray, values: np.ndarray, starts: np.ndarray, table: np.ndarray, num_classes: int, rare: np.ndarray
) -> int:
    """Count each two classes of a sample in `table`, where the larger one has a place; how many have none.

    table: uint32 or int64. Sample i has the classes values[offsets[i]:offsets[i+1]], uint32, rising. The pair a < b has
    its place at starts[b] + a; where there is no starts[b], a · num_classes + b is written to `rare`.
    """
    num_rare = 0
    for sample in range(len(offsets) - 1):
        for at in range(offsets[sample], offsets[sample + 1]):
            b = np.int64(values[at])
            if b < len(starts):
                for before in range(offsets[sample], at):
                    table[starts[b] + values[before]] += 1
            else:
                for before in range(offsets[sample], at):
                    rare[num_rare] = np.int64(values[before]) * num_classes + b
                    num_rare += 1
    return num_rare
