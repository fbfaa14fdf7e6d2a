from typing import Literal

import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError
from trainer.losses.config import LossConfig, idf, initial_bias


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LossConfig(kind="two-way", class_weights="idf"), r"two-way loss has no class weights"),
    ],
)
def test_check__names_what_does_not_go_together(config: LossConfig, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        config.check()


def test_check__all_others_go_together() -> None:
    LossConfig(kind="bce", fused=True, class_weights="idf").check()
    LossConfig(kind="asymmetric", fused=True, class_weights="idf").check()
    LossConfig(kind="two-way", fused=True).check()


def test_idf__rare_classes_weigh_more_and_a_label_weighs_one() -> None:
    prior = np.array([0.5, 0.1, 0.001, 0.0])
    weights = idf(prior)
    assert (np.diff(weights) > 0).all()
    assert np.isfinite(weights).all()
    assert (weights * prior).sum() / prior.sum() == pytest.approx(1)
    assert weights[1] / weights[2] == pytest.approx(np.log(0.1) / np.log(0.001))


def test_idf__nothing_occurs() -> None:
    assert np.isfinite(idf(np.zeros(3))).all()


@pytest.mark.parametrize("kind", ["bce", "asymmetric", "two-way"])
def test_initial_bias__sigmoid_predicts_the_prior(kind: Literal["bce", "asymmetric", "two-way"]) -> None:
    bias = torch.from_numpy(initial_bias(LossConfig(kind=kind), np.array([0.5, 0.01, 0.0])))
    torch.testing.assert_close(
        bias.sigmoid(), torch.tensor([0.5, 0.01, 0.0], dtype=torch.float64), atol=1e-8, rtol=1e-5
    )


def test_initial_bias__softmax_predicts_the_shares() -> None:
    bias = torch.from_numpy(initial_bias(LossConfig(kind="softmax"), np.array([0.4, 0.1])))
    torch.testing.assert_close(bias.softmax(0), torch.tensor([0.8, 0.2], dtype=torch.float64))


def test_initial_bias__a_class_in_every_picture_is_finite() -> None:
    assert np.isfinite(initial_bias(LossConfig(), np.ones(2))).all()
