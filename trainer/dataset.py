"""Label sets as a data set of PyTorch, for other people's training loops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch.utils.data import Dataset

from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary
from trainer import transforms
from trainer.stream.samples import Samples
from trainer.transforms import BrokenImageError

# So many broken pictures in a row are no accident.
_MOST_BROKEN = 100


class LabelSetDataset(Dataset[tuple[Any, torch.Tensor]]):
    """Pictures of label sets with their classes, in the order of the shards.

    Item n is (picture, target). picture: a PIL image (RGB), or what `transform`, a callable on one, makes of it.
    target: float32 [K], 1 where the sample has the class; with `dense=False` int64 class ids, rising, for a collate
    function of yours. A picture that cannot be read gives its place to the next one. Each process keeps the label
    shards that it met, some 40 bytes a sample; `catlip train` itself holds a window of them.

    unlabelled: whether samples without labels are there. moved: prefixes of pictures' URIs → where they lie now. Raises
    LabelSetError if a label set cannot be read, has no pictures, or another vocabulary than the first.
    """

    def __init__(
        self,
        *label_sets: str | Path,
        transform: Callable[[Image.Image], Any] | None = None,
        dense: bool = True,
        unlabelled: Literal["keep", "drop"] = "drop",
        moved: dict[str, str] | None = None,
    ) -> None:
        self.transform = transform
        self.dense = dense
        self._label_sets = [LabelSet.open(str(folder)) for folder in label_sets]
        self._samples = Samples(
            self._label_sets,
            unlabelled=unlabelled,
            moved=moved,
            max_shards=sum(len(each.manifest.shards) for each in self._label_sets),
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """What the K classes mean."""
        return self._label_sets[0].vocabulary

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Any, torch.Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(f"{index} of {len(self)} samples")
        for at in range(index, index + _MOST_BROKEN):
            sample = self._samples.read(*self._samples.place(at % len(self)))
            try:
                picture = Image.fromarray(transforms.decode(sample.image).permute(1, 2, 0).numpy())
                break
            except BrokenImageError as error:
                broken = error
        else:
            raise broken
        ids = torch.from_numpy(sample.labels)
        target = torch.zeros(len(self.vocabulary)).index_fill_(0, ids, 1.0) if self.dense else ids
        return self.transform(picture) if self.transform else picture, target
