"""What stands above the classes of a vocabulary: the half that knows WordNet makes it, the other one uses it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelshards import storage


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """H synsets above K classes.

    synsets: their WordNet names, [H]; words: what a person calls each. What stands above class k is
    values[offsets[k]:offsets[k+1]], int64 places in `synsets`, nearest first; offsets: int64 [K+1].
    """

    synsets: tuple[str, ...]
    words: tuple[str, ...]
    offsets: np.ndarray
    values: np.ndarray

    @cached_property
    def digest(self) -> str:
        """Identity of all of it."""
        arrays = np.concatenate([self.offsets, self.values]).astype(np.int64)
        return storage.digest("\n".join(self.synsets).encode() + arrays.tobytes())
