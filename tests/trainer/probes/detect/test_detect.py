from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask, probe_one
from tests.trainer.probes.detect.drawn import write_coco
from trainer.opening import open_model
from trainer.probes.data.opening import open_splits
from trainer.probes.detect.model import Pyramid, build
from trainer.probes.detect.scenes import scene
from trainer.probes.results import Result
from trainer.probes.taps import patches

CPU = torch.device("cpu")
SMALL = ("image_size=48", "channels=16", "regions=16", "batch_size=4")


@pytest.fixture(scope="module")
def rectangles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("rectangles")
    rng = np.random.default_rng(0)
    for name, count in (("train", 8), ("val", 3)):
        pictures = [
            [{"box": (int(rng.integers(0, 20)), int(rng.integers(0, 12)), 24, 24), "category": int(category)}]
            for category in rng.permutation([5, 3] * count)[:count]
        ]
        write_coco(data / name, [*pictures, [{"box": (3, 3, 9, 9), "category": 5, "iscrowd": 1}]])
    return data


def probe(model: Path, data: Path, out: Path, overrides: Sequence[str]) -> Result:
    return probe_one(replace(ask(model, data, out), overrides=[f"detect.{each}" for each in overrides]), "detect")


def test_detect__loss_falls_and_every_number_is_there(trained: Path, rectangles: Path, tmp_path: Path) -> None:
    result = probe(trained, rectangles, tmp_path, [*SMALL, "epochs=8", "lr=3e-3", "layer_decay=1"])
    [score] = result.scores
    before, after = (float(each) for each in score.chosen["loss"].split(" → "))
    assert after < before - 0.5
    assert list(score.metrics) == ["box_AP", "box_AP50", "mask_AP", "mask_AP50"]
    assert all(0 <= each.mean <= 1 for each in score.metrics.values())


def test_build__levels_of_the_pyramid_and_squares(trained: Path) -> None:
    encoder = open_model(str(trained), "pretrained", CPU).encoder
    model = build(encoder, 3, 64, channels=16, regions=8)
    pyramid = model.backbone
    assert isinstance(pyramid, Pyramid)
    maps = pyramid(torch.zeros(2, 3, 64, 64))
    assert {name: tuple(each.shape[1:]) for name, each in maps.items()} == {
        "0": (16, 16, 16),
        "1": (16, 8, 8),
        "2": (16, 4, 4),
        "3": (16, 2, 2),
        "pool": (16, 1, 1),
    }
    batched, _ = model.transform([torch.zeros(3, 30, 60), torch.zeros(3, 100, 20)], None)
    assert batched.tensors.shape == (2, 3, 64, 64)
    inner = pyramid.encoder
    patches(inner, torch.zeros(1, 3, 64, 64)).sum().backward()  # type: ignore[no-untyped-call]
    unused = [name for name, p in inner.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused  # processes that exchange gradients would wait for them
    assert not inner.get_parameter("head.weight").requires_grad


def test_scene__mirrored_boxes_fit_their_masks(rectangles: Path) -> None:
    train, _ = open_splits(rectangles)
    assert train.objects is not None
    for row in range(3):
        plain, mirrored = (scene(train.pictures, train.objects, row, mirrored=each) for each in (False, True))
        assert torch.equal(plain[0].flip(-1), mirrored[0])
        for _, target in (plain, mirrored):
            [mask_HW], [box] = target["masks"], target["boxes"].int().tolist()
            rows, columns = mask_HW.nonzero().unbind(1)
            assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == box


def test_detect__pictures_of_another_size_or_gone_are_counted(trained: Path, rectangles: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("train", "val"):
        write_coco(data / name, [[{"box": (3, 3, 20, 20), "category": each}] for each in (5, 3)])
    for name in ("train", "val"):
        (data / name / "images" / "0.png").write_bytes(b"nothing")
    result = probe(trained, data, tmp_path, [*SMALL, "epochs=1"])
    assert result.data.left_out == {"no known format": 2}
    for name in ("train", "val"):
        (data / name / "images" / "0.png").unlink()
    result = probe(trained, data, tmp_path, [*SMALL, "epochs=1"])
    assert result.data.left_out == {"not found where it was": 2}


def test_detect__crowds_alone_and_data_without_outlines(trained: Path, tmp_path: Path) -> None:
    crowd = {"box": (3, 3, 20, 20), "iscrowd": 1}
    for name in ("train", "val"):
        write_coco(tmp_path / "crowds" / name, [[{**crowd, "category": each} for each in (5, 3)]])
        write_coco(tmp_path / "bare" / name, [[{**crowd, "category": each} for each in (5, 3)]], outlines=False)
    with pytest.raises(CatlipError, match="No training picture has an object to learn"):
        probe(trained, tmp_path / "crowds", tmp_path, SMALL)
    with pytest.raises(CatlipError, match=r"has no objects; detect wants COCO's instances\.json with boxes"):
        probe(trained, tmp_path / "bare", tmp_path, SMALL)
