"""Arrays that grow row by row and stay contiguous."""

import numpy as np
import numpy.typing as npt

_FIRST_CAPACITY = 1_024


class Growing:
    """Rows of a fixed width, or scalars (width ()). `rows` is a view of what is there until the next `append`."""

    def __init__(self, dtype: npt.DTypeLike, width: tuple[int, ...] = ()) -> None:
        self._space = np.zeros((_FIRST_CAPACITY, *width), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def rows(self) -> np.ndarray:
        """[length, *width]; may be written to."""
        rows: np.ndarray = self._space[: self._length]
        return rows

    def append(self, rows: npt.ArrayLike) -> None:
        """Add rows [n, *width] at the end."""
        new = np.asarray(rows, self._space.dtype)
        needed = self._length + len(new)
        if needed > len(self._space):
            larger = np.zeros((max(needed, 2 * len(self._space)), *self._space.shape[1:]), self._space.dtype)
            larger[: self._length] = self.rows
            self._space = larger
        self._space[self._length : needed] = new
        self._length = needed
