import dataclasses
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, picture, write_label_set
from trainer.stream.batch import Batch, Piece, Room
from trainer.stream.loader import batches
from trainer.stream.plan import make_plan
from trainer.stream.pool import pooled
from trainer.stream.reader import StepReader
from trainer.stream.samples import Samples
from trainer.stream.steps import MultiScale, PlanConfig, Steps
from trainer.workers import worker_count


def make_reader(root: Path, *, batch_size: int = 8, seed: int = 0, **changes: Any) -> StepReader:  # noqa: ANN401
    label_set = LabelSet.open(str(root))
    config = PlanConfig(batch_size=batch_size, steps=100, multi_scale=changes.pop("multi_scale", MultiScale()))
    sources = {name: changes.pop(name) for name in ("moved", "cache", "unlabelled") if name in changes}
    samples = Samples([label_set], max_shards=4, **sources)
    settings: dict[str, Any] = {
        "samples": samples,
        "plan": make_plan(samples.counts(), seed=seed, window_shards=2),
        "steps": Steps(config, image_size=16, num_samples=1, seed=seed),
        "seed": seed,
        "min_scale": 0.3,
    }
    return StepReader(**(settings | changes))


def copied(batch: Batch) -> Batch:
    """One that stays as it is when the next is made."""
    return batch._each(torch.clone)


def read(reader: StepReader, steps: range, num_workers: int = 0) -> list[Batch]:
    return [copied(batch) for batch in batches(reader, steps, num_workers=num_workers, pin_memory=False)]


def equal(a: Batch, b: Batch) -> bool:
    fields = (field.name for field in dataclasses.fields(Batch) if field.name != "bad")
    return sorted(a.bad) == sorted(b.bad) and all(torch.equal(getattr(a, name), getattr(b, name)) for name in fields)


def test_batches__shapes_types_and_labels(labels: Path) -> None:
    [batch] = read(make_reader(labels), range(1))
    assert (batch.images_BCHW.shape, batch.images_BCHW.dtype) == ((8, 3, 16, 16), torch.uint8)
    assert batch.images_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert (batch.flips_B.shape, batch.flips_B.dtype) == ((8,), torch.bool)
    assert batch.values_P.dtype == batch.offsets.dtype == torch.int32
    assert batch.offsets.tolist() == list(range(9))
    colours = torch.tensor(COLOURS)[batch.values_P].float()
    assert (batch.images_BCHW.float().mean((2, 3)) - colours).abs().max() < 20


def piece(positions: list[int], flips: list[bool], labels: list[list[int]], *bad: tuple[str, str]) -> Piece:
    return Piece(
        np.array(positions),
        np.array(flips),
        np.array([len(each) for each in labels], dtype=np.int32),
        np.array([label for each in labels for label in each], dtype=np.int32),
        bad,
    )


def test_batch__pieces_in_any_order_are_put_in_place() -> None:
    images = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    pieces = [
        piece([3, 0], [True, False], [[1], [4, 7]], ("a", "damaged")),
        piece([1, 2], [False, True], [[], [2, 5, 9]]),
    ]
    batch = Batch.of(Room(images, np.zeros((4, 0), np.int32)), pieces)
    assert batch.values_P.tolist() == [4, 7, 2, 5, 9, 1]
    assert batch.offsets.tolist() == [0, 2, 2, 5, 6]
    assert batch.flips_B.tolist() == [False, False, True, True]
    assert batch.bad == (("a", "damaged"),)
    images[1] = 7  # not copied
    assert (batch.images_BCHW[1] == 7).all()


def test_positives__are_the_dense_targets_ones() -> None:
    batch = Batch.of(
        Room(np.zeros((3, 1, 1, 3), np.uint8), np.zeros((3, 0), np.int32)),
        [piece([0, 1, 2], [False] * 3, [[4, 7], [], [1]])],
    )
    rows, columns = batch.positives()
    assert rows.tolist() == [0, 0, 2]
    assert columns.tolist() == [4, 7, 1]
    assert rows.dtype == columns.dtype == torch.int64


@pytest.mark.parametrize("world_size", [2, 3])
def test_batches__ranks_share_what_one_process_would_see(labels: Path, world_size: int) -> None:
    whole_reader = make_reader(labels)
    [whole] = read(whole_reader, range(3, 4))
    seen = []
    for rank in range(world_size):
        reader = make_reader(labels, rank=rank, world_size=world_size)
        [part] = read(reader, range(3, 4))
        positions = reader.share(3)[0] - whole_reader.share(3)[0][0]
        seen += positions.tolist()
        assert torch.equal(part.images_BCHW, whole.images_BCHW[positions])
        assert torch.equal(part.flips_B, whole.flips_B[positions])
        assert torch.equal(part.values_P, whole.values_P[positions])  # one label each
    assert sorted(seen) == list(range(8))


def test_batches__epochs_and_seeds_crop_differently(labels: Path) -> None:
    first, again = read(make_reader(labels, batch_size=30), range(2))
    assert not torch.equal(first.images_BCHW.sort(0).values, again.images_BCHW.sort(0).values)
    [other] = read(make_reader(labels, batch_size=30, seed=1), range(1))
    assert not torch.equal(first.images_BCHW, other.images_BCHW)


@pytest.mark.slow
def test_batches__workers_change_nothing(labels: Path) -> None:
    """Also not where steps differ in size, and the ring's buffers are used again and again."""
    reader = make_reader(labels, multi_scale=MultiScale(num_sizes=3, min_size=16, max_size=32))
    alone, together = read(reader, range(2, 9)), read(reader, range(2, 9), num_workers=3)
    assert len({batch.images_BCHW.shape for batch in alone}) == 2
    assert all(map(equal, alone, together))


@pytest.mark.slow
def test_pool__a_worker_that_dies_is_one_clear_error(labels: Path) -> None:
    reader = make_reader(labels)
    source = pooled(reader, range(1_000), num_workers=2)
    next(source)
    victim = multiprocessing.active_children()[0]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(CatlipError, match=r"A loader process died \(exit code -9\).*--set data.num_workers=N"):
        for _ in source:
            pass
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_pool__left_early_ends_in_silence(labels: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = pooled(make_reader(labels), range(1_000), num_workers=2)
    next(source)
    source.close()  # with answers that nobody has taken
    assert not multiprocessing.active_children()
    assert capfd.readouterr().err == ""


def with_damage(folder: Path, broken: set[int], rows: int = 12) -> Path:
    good = picture(COLOURS[1])
    items = [Item(key=f"k{row}", labels=[row % 4], image=good[:-200] if row in broken else good) for row in range(rows)]
    return write_label_set(folder, [items])


def test_batches__a_broken_picture_gives_its_place_to_the_next(tmp_path: Path) -> None:
    reader = make_reader(with_damage(tmp_path, {3, 7}), batch_size=12)
    [batch] = read(reader, range(1))
    samples = reader.samples
    order = reader.plan.locate(0, 14)[:, 1].tolist()
    assert sorted(batch.bad) == [("00000/k3", "damaged"), ("00000/k7", "damaged")]
    expected = []
    for place in range(12):
        while order[place] in (3, 7):
            place += 1
        expected += samples.read(0, order[place]).labels.tolist()
    assert batch.values_P.tolist() == expected


def test_batches__nothing_but_broken_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="100 pictures in a row are broken, for example 00000/k"):
        read(make_reader(with_damage(tmp_path, set(range(12)))), range(1))


@pytest.mark.parametrize("num_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_batches__a_changed_tar_is_one_clear_error(tmp_path: Path, num_workers: int) -> None:
    data = make_reader(with_damage(tmp_path, set()))
    (tmp_path / "tars" / "00000.tar").write_bytes(b"something else")
    with pytest.raises(LabelSetError, match=r"^\S*00000\.tar has 14 bytes"):
        read(data, range(3), num_workers)


def test_worker_count__auto_leaves_a_cpu_to_the_step() -> None:
    assert worker_count("auto", torch.device("cpu"), 1) == 0
    assert worker_count("auto", torch.device("cuda"), 1) >= 1
    assert worker_count(3, torch.device("cpu"), 1) == 3
