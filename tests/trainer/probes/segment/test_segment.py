from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask, probe_one
from trainer.distributed import World
from trainer.opening import open_model
from trainer.probes.data.masks import IGNORED
from trainer.probes.data.opening import open_splits
from trainer.probes.results import Result
from trainer.probes.segment.crops import Batch
from trainer.probes.segment.model import Segmenter, Segmenting
from trainer.probes.segment.scoring import score

CPU = torch.device("cpu")


def probe(model: Path | str, data: Path, out: Path, protocol: str, overrides: Sequence[str]) -> Result:
    asked = ask(model, data, out)
    return probe_one(
        replace(asked, protocols=[protocol], overrides=[f"segment.{each}" for each in overrides]), "segment"
    )


def test_segment__what_vanishes_after_opening_is_counted(trained: Path, halves: Path) -> None:
    _, test = open_splits(halves)
    assert test.masks is not None
    gone = replace(test.pictures, root=halves / "nowhere")  # type: ignore[type-var]
    encoder = open_model(str(trained), "pretrained", CPU).encoder
    segmenter = Segmenter(encoder, "linear", 3, 32, frozen=True)
    split = replace(test, pictures=gone)
    confusion, broken = score(segmenter, split, test.masks, 32, World(device=CPU), lambda *_: None)
    assert (confusion.counts_KK.sum(), dict(broken)) == (0, {"not found where it was": 4})


@pytest.mark.parametrize("protocol", ["linear", "deeplab"])
def test_segment__learns_where_colours_are(trained: Path, halves: Path, tmp_path: Path, protocol: str) -> None:
    result = probe(trained, halves, tmp_path, protocol, ["epochs=12", "batch_size=4", "lr=1e-2", "layer_decay=1"])
    model, majority = result.scores
    assert majority.encoder == "majority"
    assert model.metrics["mIoU"].mean > 0.5 > majority.metrics["mIoU"].mean
    assert model.metrics["pixel_accuracy"].mean > majority.metrics["pixel_accuracy"].mean + 0.2
    assert len(model.per_class) == 3
    before, after = (float(each) for each in model.chosen["loss"].split(" → "))
    assert after < before


def test_segment__a_frozen_encoder_stays_as_it_is(trained: Path) -> None:
    encoder = open_model(str(trained), "pretrained", CPU).encoder
    segmenter = Segmenter(encoder, "linear", 3, 32, frozen=True).train()
    assert not segmenter.encoder.training
    assert segmenter.head.training
    pixels = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    segmenter(pixels).sum().backward()
    assert all(parameter.grad is None for parameter in segmenter.encoder.parameters())
    assert all(parameter.grad is not None for parameter in segmenter.head.parameters())


def test_segmenting__is_cross_entropy_over_pixels_that_have_a_class(trained: Path) -> None:
    encoder = open_model(str(trained), "pretrained", CPU).encoder
    objective = Segmenting(Segmenter(encoder, "linear", 3, 32, frozen=True)).eval()
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=rng, dtype=torch.uint8)
    truth = torch.randint(0, 3, (2, 32, 32), generator=rng, dtype=torch.uint8)
    truth[0, :20] = IGNORED
    truth[1] = IGNORED
    flips = torch.tensor([True, False])
    batch = Batch(images_BCHW=images, class_ids_BHW=truth, flips_B=flips, bad=())
    logits = objective.segmenter(images.flip(-1))[:1]
    expected = F.cross_entropy(logits[:, :, 20:], truth.flip(-1)[:1, 20:].long())
    assert objective(batch, 2.0).item() == pytest.approx(expected.item() / 2, rel=1e-5)


@pytest.mark.parametrize("name", ["test_convnext", "test_efficientnet"])
def test_segment__convolutional_networks_have_maps_too(halves: Path, tmp_path: Path, name: str) -> None:
    result = probe(name, halves, tmp_path, "linear", ["epochs=1", "batch_size=4", "image_size=64"])
    assert 0 <= result.scores[0].metrics["mIoU"].mean <= 1


def test_segment__other_data_is_refused(trained: Path, test_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="has no masks; segment wants folders images/ and masks/"):
        probe(trained, test_data / "coco-mini", tmp_path, "linear", [])
