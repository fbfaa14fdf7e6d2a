"""What was found out once is looked up from then on, and is no garbage."""

import gc
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.arrays.ragged import distinct

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Memory(dict[_Key, _Value], Generic[_Key, _Value]):
    """A dictionary that asks `find` for what it lacks. Full, it forgets everything.

    In the innermost loops: a look-up takes half of what functools.lru_cache takes, because it keeps no order.
    """

    def __init__(self, find: Callable[[_Key], _Value], max_size: int = 100_000) -> None:
        self._find = find
        self._max_size = max_size

    def __missing__(self, key: _Key) -> _Value:
        if len(self) >= self._max_size:
            self.clear()
        value = self[key] = self._find(key)
        return value


_NEW = -1


class NumberMemory:
    """The same of numbers from 0 up, as an array: asked for many at once, and each answer is a number ≥ 0."""

    def __init__(self, find: Callable[[int], int]) -> None:
        self._find = find
        self._found = Growing(np.int32)

    def look_up(self, keys: np.ndarray) -> np.ndarray:
        """int64 [n]: what was found for each of int64 [n]."""
        if len(keys) and (missing := int(keys.max()) + 1 - len(self._found)) > 0:
            self._found.append(np.full(missing, _NEW))
        found = self._found.rows
        for key in distinct(keys[found[keys] == _NEW]).tolist():
            found[key] = self._find(key)
        answers: np.ndarray = found[keys].astype(np.int64)
        return answers


def spare_collections() -> None:
    """Call it in a worker that has loaded its tables: they, and what is remembered, are never garbage.

    Python would walk through all of it again and again, for a fifth of the time. What becomes garbage in cycles
    is little, and still collected while it is young.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@contextmanager
def collections_spared() -> Iterator[None]:
    """The same for a while, in a process that is not ours alone: nothing is collected while tables are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
