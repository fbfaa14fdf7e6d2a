import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from labelshards import open_label_set
from labelshards.errors import LabelSetError
from tests.labelset_factory import COLOURS, Item, coloured, picture, write_label_set
from trainer.dataset import LabelSetDataset
from trainer.encoders.encoder import PictureInput
from trainer.transforms import BrokenImageError

TRANSFORM = PictureInput(image_size=16, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def test_items__are_the_samples_of_the_label_set(labels: Path) -> None:
    dataset = LabelSetDataset(labels)
    label_set = open_label_set(labels)
    assert len(dataset) == label_set.manifest.totals.labelled == 30
    found = []
    for image, target_K in dataset:  # type: ignore[attr-defined]
        assert (image.mode, target_K.dtype, target_K.shape) == ("RGB", torch.float32, (4,))
        found.append(target_K.nonzero().flatten().tolist())
    shards = [label_set.read_shard(index) for index in range(3)]
    assert found == [shard.labels(row).tolist() for shard in shards for row in range(len(shard))]
    colour = np.asarray(dataset[5][0]).mean((0, 1))
    assert np.abs(colour - COLOURS[found[5][0]]).max() < 15


def test_loader__workers_give_what_one_process_gives(labels: Path) -> None:
    dataset = LabelSetDataset(labels, transform=TRANSFORM)
    here = list(DataLoader(dataset, batch_size=8))
    there = list(DataLoader(dataset, batch_size=8, num_workers=2, multiprocessing_context="fork"))
    for (pictures, targets), (same_pictures, same_targets) in zip(here, there, strict=True):
        assert torch.equal(pictures, same_pictures)
        assert torch.equal(targets, same_targets)


def test_pickle__a_copy_opens_its_own_files(labels: Path) -> None:
    dataset = LabelSetDataset(labels, transform=TRANSFORM, dense=False)
    before = dataset[3]
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[3][0], before[0])
    assert copy[3][1].tolist() == before[1].tolist() == [3]


def test_dataset__of_unlabelled_samples_and_several_sets(tmp_path: Path) -> None:
    bare = Item(key="x", labels=[], image=picture(COLOURS[0]))
    without = Item(key="y", labels=[1], image=None)
    first = write_label_set(tmp_path / "a", [[bare, without, *coloured(1, 3)[0]]])
    second = write_label_set(tmp_path / "b", coloured(1, 2))
    assert len(LabelSetDataset(first, second)) == 5
    kept = LabelSetDataset(first, second, unlabelled="keep")
    assert len(kept) == 6
    assert kept[0][1].sum() == 0
    with pytest.raises(IndexError):
        kept[6]
    other = write_label_set(tmp_path / "c", coloured(1, 2), prefix="verb")
    with pytest.raises(LabelSetError, match="another vocabulary"):
        LabelSetDataset(first, other)


def test_broken_pictures__give_their_place_to_the_next(tmp_path: Path) -> None:
    broken = [Item(key=f"b{number}", labels=[0], image=b"nothing") for number in range(2)]
    good = Item(key="good", labels=[2], image=picture(COLOURS[2]))
    dataset = LabelSetDataset(write_label_set(tmp_path / "some", [[good, *broken]]), dense=False)
    assert [target.tolist() for _, target in (dataset[0], dataset[1], dataset[2])] == [[2], [2], [2]]
    with pytest.raises(BrokenImageError):
        LabelSetDataset(write_label_set(tmp_path / "all", [broken]))[0]


def test_transform__takes_what_pil_opens(labels: Path) -> None:
    data = picture(COLOURS[1], size=(50, 20), form="PNG")
    assert torch.equal(TRANSFORM(data), TRANSFORM(Image.open(io.BytesIO(data))))
