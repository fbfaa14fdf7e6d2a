"""Step number → pixels, labels and tokens of this rank's share: the work of a loader process.

Shapes: B samples of one rank, N of a piece, H = W = image size, T tokens of a caption.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from labelshards.errors import CatlipError
from labelshards.images import ImageFile
from trainer import transforms
from trainer.objectives.text import Tokenizer
from trainer.stream.batch import Piece, Room
from trainer.stream.plan import Plan, rank_share, share_sizes
from trainer.stream.samples import Sample, Samples
from trainer.stream.steps import Steps

_MAX_REPLACEMENTS = 100  # so many in a row are no accident
_INT32_BYTES = 4
NO_CAPTION = "no caption"
# All for which a sample gives its place to another.
REASONS = (*transforms.REASONS, NO_CAPTION)


@dataclass(kw_only=True)
class StepReader:
    """Reads the samples of any step; one instance per thread, and it can be sent to another process.

    A sample's randomness is seeded by (seed, its place in the stream): neither workers nor ranks change a pixel, or
    which of its captions is chosen. A broken picture gives its place to the next sample of the stream, and so does one
    without a caption where captions are asked for, by a `tokenizer`.
    """

    samples: Samples
    plan: Plan
    steps: Steps
    seed: int
    min_scale: float
    rank: int = 0
    world_size: int = 1
    tokenizer: Tokenizer | None = None

    def __post_init__(self) -> None:
        self._share: tuple[int, np.ndarray, np.ndarray] | None = None

    def shape(self, step: int) -> tuple[int, int, int, int]:
        """(B, H, W, 3) of this rank's share of a step."""
        batch_size, size = self.steps[step].batch_size, self.steps[step].image_size
        return share_sizes(batch_size, self.world_size)[self.rank], size, size, 3

    def most_bytes(self) -> int:
        """Memory that takes this rank's share of any step, so that one can follow the other."""
        tokens = self._num_tokens * math.ceil(self.steps.largest_batch() / self.world_size) * _INT32_BYTES
        pixels = self.steps.most_pixels(self.world_size) * 3
        # Tokens stand first in each slot, and int32 must begin at multiples of four.
        return tokens + pixels + -pixels % _INT32_BYTES

    def room(self, step: int, memory: np.ndarray) -> Room:
        """Where a step's pixels and tokens lie in `memory`: uint8, at least `most_bytes()`."""
        shape = self.shape(step)
        tokens = shape[0] * self._num_tokens * _INT32_BYTES
        return Room(
            images_BHWC=memory[tokens : tokens + math.prod(shape)].reshape(shape),
            tokens_BT=memory[:tokens].view(np.int32).reshape(shape[0], self._num_tokens),
        )

    def read(self, step: int, room: Room, part: int = 0, num_parts: int = 1) -> Piece:
        """Write part `part` of a step's pixels and tokens to where they belong in the batch, and return the rest.

        Parts are cut by shard, so that each reader opens few. Raises CatlipError for what must stop the run.
        """
        places_B, located_B2 = self.share(step)
        order = np.argsort(located_B2[:, 0], kind="stable")
        positions_N = order[len(order) * part // num_parts : len(order) * (part + 1) // num_parts]
        flips: list[bool] = []
        labels: list[np.ndarray] = []
        bad: list[tuple[str, str]] = []
        for b in positions_N.tolist():
            place = int(places_B[b])
            sample, pixels_CHW, captions = self._sample(place, located_B2[b], bad)
            # 1 for the pixels, 2 for the caption: to learn from captions changes no crop.
            rng = np.random.default_rng((self.seed, place, 1))
            crop_CHW = transforms.random_resized_crop(pixels_CHW, room.images_BHWC.shape[1], self.min_scale, rng)
            torch.from_numpy(room.images_BHWC[b]).copy_(crop_CHW.permute(1, 2, 0))
            flips.append(bool(rng.random() < 0.5))
            labels.append(sample.labels)
            if self.tokenizer:
                chosen = int(np.random.default_rng((self.seed, place, 2)).integers(len(captions)))
                room.tokens_BT[b] = self.tokenizer(captions[chosen : chosen + 1])[0]
        return Piece(
            positions_N=positions_N,
            flips_N=np.array(flips, dtype=bool),
            counts_N=np.array([len(values) for values in labels], dtype=np.int32),
            values_P=np.concatenate([np.empty(0, dtype=np.int32), *labels], dtype=np.int32),
            bad=tuple(bad),
        )

    def share(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(places [B], (shard, n-th usable sample) [B, 2]), int64, of what this rank computes in a step."""
        if self._share is None or self._share[0] != step:
            places = self.steps[step].places
            located = self.plan.locate(places.start, places.stop)
            mine = rank_share(located[:, 0], rank=self.rank, world_size=self.world_size)
            self._share = step, places.start + mine, located[mine]
        return self._share[1:]

    def names(self, step: int) -> list[str]:
        """The names of a step's samples, on all ranks, as the plan has them."""
        places = self.steps[step].places
        return [self.samples.name(shard, nth) for shard, nth in self.plan.locate(places.start, places.stop).tolist()]

    def files(self, step: int) -> list[ImageFile]:
        """The image files that `read` opens for a step."""
        shards = np.unique(self.share(step)[1][:, 0]).tolist()
        return [file for shard in shards for file in self.samples.files(shard)]

    @property
    def _num_tokens(self) -> int:
        return self.tokenizer.context_length if self.tokenizer else 0

    def _sample(
        self, place: int, located: np.ndarray, bad: list[tuple[str, str]]
    ) -> tuple[Sample, torch.Tensor, list[str]]:
        """The first sample at or after `place` that can be used, its picture and, if they are asked for, its captions.

        Those passed over go to `bad`.
        """
        samples = self.samples
        for candidate in range(place + 1, place + 1 + _MAX_REPLACEMENTS):
            shard, nth = located.tolist()
            captions = [text for text in samples.captions(shard, nth) if text.strip()] if self.tokenizer else []
            sample = samples.read(shard, nth)
            try:
                pixels_CHW = transforms.decode(sample.image)
                if captions or not self.tokenizer:
                    return sample, pixels_CHW, captions
                reason = NO_CAPTION
            except transforms.BrokenImageError as error:
                reason = error.reason
            bad.append((samples.name(shard, nth), reason))
            located = self.plan.locate(candidate, candidate + 1)[0]
        names = ", ".join(name for name, _ in bad[-3:])
        wrong = "broken or without a caption" if self.tokenizer else "broken"
        raise CatlipError(f"{_MAX_REPLACEMENTS} pictures in a row are {wrong}, for example {names}.")
