"""What a build tells: how far it is, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from labelgen.extract import Seconds
from labelshards.labelset import FailedShard, Manifest


class Slice(NamedTuple):
    """Part `number` (from 0) of `total` of a job array: every total-th shard."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished label set, and what this run did for it. `seconds` adds up over the workers, the rest is wall time.

    slow: why captions were parsed by spaCy's ordinary pipeline, if they were.
    """

    manifest: Manifest
    num_extracted: int
    num_captions: int
    wall_seconds: float
    publish_seconds: float
    seconds: Seconds
    changed: bool
    slow: str | None = None


@dataclass(frozen=True, kw_only=True)
class SliceResult:
    """What is done of one slice of the shards. Seconds as in Result."""

    num_shards: int
    num_done_before: int
    num_extracted: int
    num_captions: int
    failed: list[FailedShard]
    wall_seconds: float
    seconds: Seconds


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Sent at the start of a stage and after each of its shards: shards done and in all, and this run's rate."""

    stage: str
    done: int
    total: int
    captions_per_second: float | None = None


Watcher = Callable[[Progress], None]
