from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from labelshards.matching import EXACT, HYPONYMS, Match
from tests.trainer.probes.cases import CPU, ask, case_of, probe_all
from trainer.probes import heads, linear
from trainer.probes.examples import Examples, Moments
from trainer.probes.labelhead import LabelHead
from trainer.probes.transfer import INIT_STD, RANDOM, TRANSFER, random_init, transfer_init
from trainer.probes.updates import Training

HEAD = LabelHead(
    weight_KD=torch.tensor([[3.0, 0.0], [1.0, 2.0], [-1.0, 0.0], [0.0, 4.0]]),
    bias_K=torch.tensor([0.0, 1.0, 0.0, 2.0]),
    log_support_K=torch.zeros(4),
)


def exact(*class_ids: int) -> list[Match]:
    return [Match(name=str(each), kind=EXACT, class_ids=[each], similarity=1.0) for each in class_ids]


def test_transfer_init__rows_by_hand() -> None:
    """Means (3, 0) and (0, 1), centred ±(1.5, -0.5), whose root mean square is √1.25."""
    matches = [*exact(0), Match(name="both", kind=HYPONYMS, class_ids=[1, 2], similarity=0.5)]
    weight_CD, bias_C = transfer_init(HEAD, matches, seed=0)
    scale = INIT_STD * 1.25**-0.5
    torch.testing.assert_close(weight_CD, torch.tensor([[1.5, -0.5], [-1.5, 0.5]]) * scale)
    torch.testing.assert_close(bias_C, torch.tensor([-0.25, 0.25]) * scale)


def test_transfer_init__what_has_no_match_is_random() -> None:
    matches = [*exact(0, 3), Match(name="nothing")]
    weight_CD, bias_C = transfer_init(HEAD, matches, seed=5)
    torch.testing.assert_close(weight_CD[2], random_init(3, 2, seed=5)[0][2])
    assert bias_C[2] == 0
    torch.testing.assert_close(transfer_init(HEAD, matches, seed=6)[0][:2], weight_CD[:2])
    nothing = [Match(name="nothing")] * 3
    torch.testing.assert_close(transfer_init(HEAD, nothing, seed=5), random_init(3, 2, seed=5))


def test_transfer_init__a_single_match_is_zero_and_finite() -> None:
    weight_CD, bias_C = transfer_init(HEAD, exact(1), seed=0)
    assert not weight_CD.any()
    assert not bias_C.any()


@given(st.integers(0, 2**31), st.integers(2, 6), st.integers(1, 5))
def test_transfer_init__ranks_as_zero_shot_without_frequency(seed: int, num_classes: int, width: int) -> None:
    torch_rng = torch.Generator().manual_seed(seed)
    head = LabelHead(
        weight_KD=torch.randn(num_classes, width, generator=torch_rng),
        bias_K=torch.randn(num_classes, generator=torch_rng),
        log_support_K=torch.rand(num_classes, generator=torch_rng) * 5,
    )
    matches = exact(*range(num_classes))
    weight_CD, bias_C = transfer_init(head, matches, seed)
    assert weight_CD.square().mean().sqrt() == pytest.approx(INIT_STD, rel=1e-4)
    x_BD = torch.randn(8, width, generator=torch_rng)
    scores_BC = head.scores(x_BD, matches, by_frequency=False)
    started_BC = (x_BD @ weight_CD.T + bias_C).softmax(1)
    chosen_B = scores_BC.argmax(1)
    best_B = started_BC.max(1).values
    torch.testing.assert_close(started_BC[torch.arange(8), chosen_B], best_B, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("standardise", [False, True])
def test_fit__begins_with_what_is_given(standardise: bool, clouds: Callable[..., Examples]) -> None:
    data = clouds(5, 0)
    start = torch.randn(6, 8) * 0.1, torch.randn(6)
    training = Training(optimizer="adamw", rates=(1e-12,), epochs=1, batch_size=30, standardise=standardise)
    views = [heads.whole(8)]
    fitted = heads.fit(data, heads.classes_of(data), 6, training, views, 0, CPU, lambda *_: None, start)
    [logits_NK] = fitted.logits(data, slice(None))
    expected_NK = data.features(slice(None)) @ start[0].T + start[1]
    np.testing.assert_allclose(logits_NK, expected_NK.numpy(), rtol=1e-3, atol=1e-3)
    assert (Moments.of(data).std_D > 0).all()


def test_plans__transfer_beats_random_and_zeros_on_few_pictures(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    asked = replace(
        ask(trained, make_colours(tmp_path / "colours"), tmp_path),
        protocols=["catlip"],
        fractions=[0.1, 1.0],
        inits=["zeros", RANDOM, TRANSFER],
        seeds=[0, 1],
        with_random=True,
    )
    found = probe_all(asked, ["linear"])
    by_protocol = {each.protocol: each for each in found}
    assert list(by_protocol) == ["catlip", "catlip, random init", "catlip, transfer init"]
    top1 = {name: each.scores[0].metrics["top1"].mean for name, each in by_protocol.items()}
    assert top1["catlip, transfer init"] > 0.9 > top1["catlip, random init"]
    result = by_protocol["catlip, transfer init"]
    assert {score.encoder for score in result.scores} == {"model"}
    assert [match.synsets for match in result.matches] == [[f"colour{number}.n.01"] for number in range(4)]
    assert result.settings["init"] == "transfer"
    assert len(list((tmp_path / "probes").glob("*.json"))) == 3


@pytest.mark.parametrize("protocol", ["dinov2", "lbfgs"])
def test_plans__a_beginning_where_there_is_none_to_choose(
    protocol: str, trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    asked = replace(ask(trained, make_colours(tmp_path), tmp_path), protocols=[protocol], inits=["random"])
    with pytest.raises(CatlipError, match=f"--init random is for protocols sweep and catlip; {protocol} has its own"):
        linear.probes(asked)


def test_random_init__is_drawn_by_the_seed(clouds: Callable[..., Examples]) -> None:
    one, same, other = (random_init(3, 1000, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert float(one.std()) == pytest.approx(INIT_STD, rel=0.1)
    assert case_of(clouds(1, 0), clouds(1, 0)).num_classes == 6
