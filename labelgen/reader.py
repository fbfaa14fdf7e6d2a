"""What finds the mentions of many captions at once: out of parses (parts.py), or by a learnt table (distill/)."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

NONE = -1


class Found(NamedTuple):
    """M mentions in D captions. captions: int64 [M], rising. terms, of: int64 [M], a labeler's numbers of terms, and
    of those of the heads that they modify, or NONE."""

    captions: np.ndarray
    terms: np.ndarray
    of: np.ndarray


class Reader(Protocol):
    """What finds the mentions of many captions, in two steps, and tells what its numbers mean."""

    def forget(self) -> None:
        """Called before a shard: numbers may mean something else from then on."""

    def read(self, texts: list[str]) -> Any:  # noqa: ANN401  (what its own `mentions` takes)
        """Parse clean texts."""

    def mentions(self, read: Any) -> Found:  # noqa: ANN401
        """What is found in them."""

    def names(self, terms: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Texts, roles and forms, string [n] each, of terms."""

    def is_head(self, terms: np.ndarray) -> np.ndarray:
        """bool [n]: those whose role is that of a head."""
