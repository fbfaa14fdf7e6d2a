import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, jaccard_score, recall_score

from tests.labelset_factory import COLOURS
from trainer.probes.data.masks import IGNORED
from trainer.probes.segment import scoring
from trainer.probes.segment.scoring import Confusion


def test_confusion__by_hand() -> None:
    truth = np.array([[0, 0, 0, 1], [1, 1, 2, IGNORED]])
    called = np.array([[0, 0, 1, 1], [1, 2, 1, 0]])
    found = Confusion.of(truth, called, 4)
    # Class 0: 2 right, 3 there, 2 called; class 1: 2 right, 3 there, 4 called; class 2: 0 right, 1 there, 1 called.
    assert found.iou()[:3].tolist() == [2 / 3, 2 / 5, 0.0]
    assert np.isnan(found.iou()[3])
    assert found.metrics() == {
        "mIoU": pytest.approx((2 / 3 + 2 / 5) / 3),
        "pixel_accuracy": pytest.approx(4 / 7),
        "mean_per_class": pytest.approx((2 / 3 + 2 / 3 + 0) / 3),
    }


PIXELS = arrays(np.int64, (5, 7), elements=st.integers(0, 3))


@given(PIXELS, PIXELS)
def test_confusion__as_scikit_learn(truth: np.ndarray, called: np.ndarray) -> None:
    found = Confusion.of(truth, called, 4)
    there = np.union1d(truth, called)
    options = {"labels": there, "average": None, "zero_division": 0}
    assert found.iou()[there] == pytest.approx(jaccard_score(truth.ravel(), called.ravel(), **options))
    assert np.isnan(found.iou()).sum() == 4 - len(there)
    metrics = found.metrics()
    assert metrics["pixel_accuracy"] == pytest.approx(accuracy_score(truth.ravel(), called.ravel()))
    options["labels"] = np.unique(truth)
    assert metrics["mean_per_class"] == pytest.approx(recall_score(truth.ravel(), called.ravel(), **options).mean())


class NearestColour(torch.nn.Module):
    """A segmenter that needs no training: the class of a pixel is the colour that it is nearest to."""

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        colours_K3 = torch.tensor(COLOURS[:3], dtype=torch.float32)
        far_BKHW = (images_BCHW[:, None].float() - colours_K3[None, :, :, None, None]).square().sum(2)
        return -far_BKHW


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 50), (77, 20), (9, 9)])
def test_call__windows_cover_pictures_of_any_shape(height: int, width: int) -> None:
    truth_HW = torch.arange(width).mul(3).div(width, rounding_mode="floor").expand(height, width)
    pixels_CHW = torch.tensor(COLOURS[:3], dtype=torch.uint8)[truth_HW].permute(2, 0, 1)
    found_HW = scoring.call(NearestColour(), pixels_CHW, 3, 16)  # type: ignore[arg-type]
    assert found_HW.shape == (height, width)
    assert (found_HW == truth_HW).float().mean() > 0.8
    assert (found_HW[:, [1, width // 2, -2]] == truth_HW[:, [1, width // 2, -2]]).all()
