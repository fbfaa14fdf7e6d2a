"""How large each step is: at which place of the stream it begins, how many samples it has, and of which resolution.

All of it is a pure function of the settings and the seed, computed for any step directly.
"""

import bisect
import itertools
import math
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from labelshards.errors import CatlipError

# Keeps the order of sizes apart from other random numbers of the same seed.
_SCALE_TAG = 0x736361


class MultiScale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[plan.multi_scale]`: steps of several sizes (the paper's multi-scale variable batch sampler, §4.1).

    num_sizes: how many, evenly from min_size to max_size; each is rounded to a multiple, equal ones then count once.
    The paper has 25, of which 13 are different; 1 means model.image_size alone. plan.batch_size is that of a step at
    model.image_size; others have as many samples as make as many pixels.
    """

    num_sizes: Annotated[int, msgspec.Meta(ge=1)] = 1
    min_size: Annotated[int, msgspec.Meta(ge=1)] = 128
    max_size: Annotated[int, msgspec.Meta(ge=1)] = 320
    multiple: Annotated[int, msgspec.Meta(ge=1)] = 16

    def sizes(self) -> list[int]:
        """All different ones, rising."""
        even = np.linspace(self.min_size, self.max_size, self.num_sizes)
        # Not by round(), which makes an 8 of 8.5 and a 10 of 9.5.
        return sorted({math.floor(size / self.multiple + 0.5) * self.multiple for size in even.tolist()})


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the run at a resolution of its own. until: the share of all steps at which it ends.

    token_dropout: the share of patches that a ViT does not see in it (FLIP); if not given, as `model.kwargs` says.
    """

    until: Annotated[float, msgspec.Meta(gt=0, le=1)]
    image_size: Annotated[int, msgspec.Meta(ge=1)]
    token_dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] | None = None


class PlanConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[plan]`: what is trained on, in which portions, for how long.

    batch_size: samples per step over all ranks together. epochs: passes over the data; may be a fraction. steps: if
    given, decides the length instead of `epochs`. window_shards: shards that are shuffled together. unlabelled:
    whether samples with an image but without labels are trained on (as all-negative, like the paper) or left out.
    weights: of the label sets, in the order in which they are given; without, all are one large set. phases:
    resolutions before model.image_size, for example 112 until 0.8 of the run.
    """

    batch_size: Annotated[int, msgspec.Meta(ge=1)] = 1024
    epochs: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    steps: Annotated[int, msgspec.Meta(ge=1)] | None = None
    window_shards: Annotated[int, msgspec.Meta(ge=1)] = 8
    unlabelled: Literal["keep", "drop"] = "keep"
    weights: list[Annotated[float, msgspec.Meta(gt=0)]] = []
    multi_scale: MultiScale = MultiScale()
    phases: list[Phase] = []

    def check(self, num_label_sets: int, world_size: int, image_size: int) -> None:
        """Raise CatlipError if settings do not go together, or with so many label sets or ranks."""
        if self.weights and len(self.weights) != num_label_sets:
            sets = f"{num_label_sets} label set{'s' * (num_label_sets != 1)}"
            raise CatlipError(f"plan.weights has {len(self.weights)} numbers for {sets}. Give one for each.")
        ends = [phase.until for phase in self.phases]
        if any(b <= a for a, b in itertools.pairwise(ends)):
            raise CatlipError(f"plan.phases must end one after the other, not at {ends}.")
        if self.phases and self.multi_scale.num_sizes > 1:
            raise CatlipError("plan.phases and plan.multi_scale are two ways to choose a resolution. Take one.")
        if self.multi_scale.min_size > self.multi_scale.max_size or self.multi_scale.sizes()[0] < 1:
            raise CatlipError(
                f"plan.multi_scale: {self.multi_scale.min_size} to {self.multi_scale.max_size} pixels in multiples of "
                f"{self.multi_scale.multiple} are no sizes. Choose ends with a multiple between them."
            )
        smallest = min(_batch_sizes(self, image_size))
        if smallest < world_size:
            raise CatlipError(
                f"plan.batch_size = {self.batch_size} gives steps of {smallest} samples, too few for {world_size} "
                f"processes. Try --set plan.batch_size={math.ceil(self.batch_size * world_size / max(1, smallest))}."
            )


class Step(NamedTuple):
    """One step: its samples stand at places first … first + batch_size of the stream."""

    first: int
    batch_size: int
    image_size: int

    @property
    def places(self) -> range:
        """Of all ranks together."""
        return range(self.first, self.first + self.batch_size)


class Steps:
    """All steps of a run over `num_samples`, by number. An epoch's last samples share one with the next one's first.

    Sizes come in rounds: in each, every size once, in an order by chance. So a round has always as many samples, and
    where a step begins needs no sum over all steps before it.
    """

    def __init__(self, config: PlanConfig, *, image_size: int, num_samples: int, seed: int) -> None:
        scaled = config.multi_scale.num_sizes > 1
        self._sizes = config.multi_scale.sizes() if scaled else [image_size]
        self._batch_sizes = _batch_sizes(config, image_size)
        self._seed = seed
        self._round: tuple[int, np.ndarray, np.ndarray] | None = None
        self._phases = config.phases
        self._image_size = image_size
        self.num_steps = config.steps or self._steps_for(math.ceil(config.epochs * num_samples))
        self._ends = [round(phase.until * self.num_steps) for phase in config.phases]

    def __getitem__(self, step: int) -> Step:
        """Step number 0 … num_steps; the last one begins where the run ends."""
        round_, within = divmod(step, len(self._sizes))
        order, offsets = self._order(round_)
        size_number = int(order[within])
        phase = self.phase(step)
        size = phase.image_size if phase else self._sizes[size_number]
        return Step(int(offsets[within]), self._batch_sizes[size_number], size)

    def phase(self, step: int) -> Phase | None:
        """The phase in which a step is; None in the part of the run that follows them all."""
        number = bisect.bisect_right(self._ends, step)
        return self._phases[number] if number < len(self._phases) else None

    def image_sizes(self) -> list[int]:
        """All resolutions that occur, rising."""
        last = [] if self._ends and self._ends[-1] >= self.num_steps else self._sizes
        return sorted({*last, *(phase.image_size for phase in self._phases)})

    def smallest_batch(self) -> int:
        """Samples of the step that has the fewest."""
        return min(self._batch_sizes)

    def largest_batch(self) -> int:
        """Samples of the step that has the most."""
        return max(self._batch_sizes)

    def most_pixels(self, world_size: int) -> int:
        """Pixels of the largest share that any rank has of any step."""
        return max(
            math.ceil(batch_size / world_size) * max([size, *(phase.image_size for phase in self._phases)]) ** 2
            for batch_size, size in zip(self._batch_sizes, self._sizes, strict=True)
        )

    def _steps_for(self, num_samples: int) -> int:
        round_, rest = divmod(num_samples, sum(self._batch_sizes))
        _, offsets = self._order(round_)
        return max(1, round_ * len(self._sizes) + int(np.searchsorted(offsets - offsets[0], rest)))

    def _order(self, round_: int) -> tuple[np.ndarray, np.ndarray]:
        """A round's sizes by number, and the place at which each of its steps begins, and the next round."""
        known = self._round  # once: another thread may put its own there
        if known is None or known[0] != round_:
            order = np.random.default_rng((self._seed, round_, _SCALE_TAG)).permutation(len(self._sizes))
            batch_sizes = np.array(self._batch_sizes)[order]
            offsets = round_ * sum(self._batch_sizes) + np.cumsum([0, *batch_sizes])
            self._round = known = (round_, order, offsets)
        return known[1:]


def _batch_sizes(config: PlanConfig, image_size: int) -> list[int]:
    if config.multi_scale.num_sizes == 1:
        return [config.batch_size]
    return [image_size**2 * config.batch_size // max(1, size) ** 2 for size in config.multi_scale.sizes()]
