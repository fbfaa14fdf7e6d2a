import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, picture, write_label_set
from trainer.loader import Batch, StepBatches, batches, worker_count
from trainer.plan import Plan
from trainer.samples import Samples


def dataset(root: Path, **changes: Any) -> StepBatches:  # noqa: ANN401  (fields of StepBatches)
    label_set = LabelSet.open(str(root))
    settings: dict[str, Any] = {
        "label_set": label_set,
        "plan": Plan(Samples(label_set).counts(), seed=0, window_shards=2),
        "seed": 0,
        "batch_size": 8,
        "image_size": 16,
        "min_scale": 0.3,
        "unlabelled": "keep",
        "max_shards": 4,
    }
    return StepBatches(**(settings | changes))


def read(data: StepBatches, steps: range, num_workers: int = 0) -> list[Batch]:
    return list(batches(data, steps, num_workers=num_workers, pin_memory=False))


def equal(a: Batch, b: Batch) -> bool:
    fields = (field.name for field in dataclasses.fields(Batch) if field.name != "bad")
    return a.bad == b.bad and all(torch.equal(getattr(a, name), getattr(b, name)) for name in fields)


def test_batches__shapes_types_and_labels(labels: Path) -> None:
    [batch] = read(dataset(labels), range(1))
    assert (batch.images_BCHW.shape, batch.images_BCHW.dtype) == ((8, 3, 16, 16), torch.uint8)
    assert (batch.flips_B.shape, batch.flips_B.dtype) == ((8,), torch.bool)
    assert batch.values_P.dtype == batch.offsets.dtype == torch.int64
    assert batch.offsets.tolist() == list(range(9))
    colours = torch.tensor(COLOURS)[batch.values_P].float()
    assert (batch.images_BCHW.float().mean((2, 3)) - colours).abs().max() < 20


def test_positives__are_the_dense_targets_ones() -> None:
    batch = Batch(
        images_BCHW=torch.zeros((3, 3, 1, 1), dtype=torch.uint8),
        flips_B=torch.zeros(3, dtype=torch.bool),
        values_P=torch.tensor([4, 7, 1]),
        offsets=torch.tensor([0, 2, 2, 3]),
        bad=(),
    )
    rows, columns = batch.positives()
    assert rows.tolist() == [0, 0, 2]
    assert columns.tolist() == [4, 7, 1]


def test_batches__ranks_share_what_one_process_would_see(labels: Path) -> None:
    [whole] = read(dataset(labels), range(3, 4))
    halves = [read(dataset(labels, rank=rank, world_size=2), range(3, 4))[0] for rank in range(2)]
    assert torch.equal(whole.images_BCHW, torch.cat([half.images_BCHW for half in halves]))
    assert torch.equal(whole.flips_B, torch.cat([half.flips_B for half in halves]))
    assert torch.equal(whole.values_P, torch.cat([half.values_P for half in halves]))


def test_batches__epochs_and_seeds_crop_differently(labels: Path) -> None:
    first, again = read(dataset(labels, batch_size=30), range(2))
    assert not torch.equal(first.images_BCHW.sort(0).values, again.images_BCHW.sort(0).values)
    [other] = read(dataset(labels, batch_size=30, seed=1), range(1))
    assert not torch.equal(first.images_BCHW, other.images_BCHW)


@pytest.mark.slow
def test_batches__workers_change_nothing(labels: Path) -> None:
    data = dataset(labels)
    alone, together = read(data, range(2, 7)), read(data, range(2, 7), num_workers=2)
    assert all(map(equal, alone, together))


def with_damage(folder: Path, broken: set[int], rows: int = 12) -> Path:
    good = picture(COLOURS[1])
    items = [Item(key=f"k{row}", labels=[row % 4], image=good[:-200] if row in broken else good) for row in range(rows)]
    return write_label_set(folder, [items])


def test_batches__a_broken_picture_gives_its_place_to_the_next(tmp_path: Path) -> None:
    data = dataset(with_damage(tmp_path, {3, 7}), batch_size=12)
    [batch] = read(data, range(1))
    samples = Samples(data.label_set)
    order = data.plan.locate(0, 14)[:, 1].tolist()
    assert sorted(batch.bad) == ["00000/k3", "00000/k7"]
    expected = []
    for place in range(12):
        while order[place] in (3, 7):
            place += 1
        expected += samples.read(0, order[place]).labels.tolist()
    assert batch.values_P.tolist() == expected


def test_batches__nothing_but_broken_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="100 pictures in a row are broken, for example 00000/k"):
        read(dataset(with_damage(tmp_path, set(range(12)))), range(1))


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_batches__a_changed_tar_is_one_clear_error(tmp_path: Path, num_workers: int) -> None:
    data = dataset(with_damage(tmp_path, set()))
    (tmp_path / "tars" / "00000.tar").write_bytes(b"something else")
    with pytest.raises(LabelSetError, match=r"^\S*00000\.tar has 14 bytes"):
        read(data, range(3), num_workers)


def test_worker_count__auto_leaves_a_cpu_to_the_step() -> None:
    assert worker_count("auto", torch.device("cpu"), 1) == 0
    assert worker_count("auto", torch.device("cuda"), 1) >= 1
    assert worker_count(3, torch.device("cpu"), 1) == 3
