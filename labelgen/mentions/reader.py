"""What finds mentions in captions: a labeler, one caption after the other, or its reader, many at once."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from labelgen.mentions.terms import Phrase

NONE = -1


class Captions(NamedTuple):
    """Captions as they came, and the clean text of each (never empty)."""

    raw: list[str]
    texts: list[str]


class Labeler(Protocol):
    """Captions → mentions, in two steps, so that a batch is parsed at once.

    slow: why captions are parsed by spaCy's ordinary pipeline and not by the fast one; None where that is not so.
    reader: the same for many captions at once, if the labeler has one.
    """

    @property
    def slow(self) -> str | None:
        """See above."""

    @property
    def reader(self) -> "Reader | None":
        """See above."""

    def parse(self, captions: Captions) -> Sequence[Any]:
        """What `phrases` takes, one for each caption."""

    def phrases(self, parsed: Any) -> list[Phrase]:  # noqa: ANN401  (what its own `parse` gave)
        """The mentions of one caption in a fixed order, and the words that could have been one, in phrases."""

    def chunks(self, parsed: Any) -> list[tuple[str, list[str]]]:  # noqa: ANN401
        """(noun chunk, what was looked up for its head) for explanations; none if the labeler has no chunks."""


class Found(NamedTuple):
    """M mentions in D captions. captions: int64 [M], rising. terms, of: int64 [M], a labeler's numbers of terms, and
    of those of the heads that they modify, or NONE."""

    captions: np.ndarray
    terms: np.ndarray
    of: np.ndarray


class Reader(Protocol):
    """What finds mentions in many captions, out of parses (parts.py) or by a learnt table (distill/), in two steps.

    It tells what its numbers mean.
    """

    def forget(self) -> None:
        """Called before a shard: numbers may mean something else from then on."""

    def read(self, texts: list[str]) -> Any:  # noqa: ANN401  (what its own `mentions` takes)
        """Parse clean texts."""

    def mentions(self, read: Any) -> Found:  # noqa: ANN401
        """What is found in them."""

    def names(self, terms: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Texts, roles and forms, string [n] each, of terms, int64 [n]."""

    def is_head(self, terms: np.ndarray) -> np.ndarray:
        """bool [n]: those whose role is that of a head."""
