"""Loops for which NumPy has no call, compiled by numba: once a machine and version, then read from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from labelgen.cache import cache_folder

_Function = TypeVar("_Function", bound=Callable[..., object])


def folder() -> Path:
    """Where compiled loops are kept, if that can be written to."""
    return Path(vars(numba.config)["CACHE_DIR"] or cache_folder() / "numba")


def native(loop: _Function) -> _Function:
    """`loop`, compiled when it is first called. It sees arrays and numbers, and calls only what stands in its file.

    Sums are added in the order in which they are written, so the compiler decides nothing. Numba keeps its files beside
    the source unless NUMBA_CACHE_DIR is set; here they go to `folder`, which more people can write to.
    """
    config = vars(numba.config)
    chosen = config["CACHE_DIR"]
    config["CACHE_DIR"] = str(folder())
    try:
        compiled = numba.njit(cache=True, error_model="numpy")(loop)
    except RuntimeError:  # nowhere to keep it
        compiled = numba.njit(error_model="numpy")(loop)
    finally:
        config["CACHE_DIR"] = chosen
    return cast(_Function, compiled)
