from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask, case_of, probe_one
from trainer.probes import features, lbfgs, linear, results
from trainer.probes.examples import Examples
from trainer.probes.probe import Measured

CPU = torch.device("cpu")
Clouds = Callable[..., Examples]


def measure(protocol: str, train: Examples, test: Examples, fractions: tuple[float, ...] = (1.0,)) -> list[Measured]:
    return linear.probe(protocol, fractions, 1).run(case_of(train, test), 0, lambda *_: None)


def test_sweep__chooses_a_rate_and_measures_fractions(clouds: Clouds) -> None:
    few, all_of_it = measure("sweep", clouds(60, 0, spread=1.5), clouds(60, 1, spread=1.5), (0.04, 1.0))
    assert (few.setting, all_of_it.setting) == ("4 %", "100 %")
    assert all_of_it.metrics["top1"] > max(0.75, few.metrics["top1"])
    assert set(all_of_it.chosen) == {"learning rate", "held-out top-1"}


def test_catlip__is_the_papers_row() -> None:
    settings = linear.probe("catlip", [1.0]).settings
    assert (settings["epochs"], settings["batch_size"], settings["rates"], settings["final_rate"]) == (
        30, 256, [3e-5], 1e-6,
    )  # fmt: skip
    assert not settings["standardise"]


def test_catlip__has_nothing_to_choose(clouds: Clouds) -> None:
    [found] = measure("catlip", clouds(4, 0), clouds(4, 1))
    assert found.chosen == {}


def test_dinov2__views_are_the_columns_of_the_tap() -> None:
    views = linear.dinov2_views(50, 4)
    assert views == {
        "1 block": ((0, 10),),
        "1 block, patches": ((0, 10), (40, 50)),
        "4 blocks": ((0, 40),),
        "4 blocks, patches": ((0, 40), (40, 50)),
    }


def test_dinov2__chooses_features_and_rate(clouds: Clouds) -> None:
    data = clouds(40, 0)
    data.table[:, :4] = 0  # the class token says nothing, the patches do
    data.table[:, 4:] /= 10
    [found] = measure("dinov2", data, data)
    assert found.chosen["features"] == "1 block, patches"
    assert found.metrics["top1"] > 0.4


def test_lbfgs__weights_are_scikit_learns(clouds: Clouds) -> None:
    data = clouds(40, 0, spread=2.0)
    for strength in (1e-3, 1e-1):
        found = lbfgs.fit(data, 6, strength, CPU)
        x_ND = (data.table.astype(np.float64) - found.mean_D.numpy()) / found.scale
        reference = LogisticRegression(C=1 / (strength * len(data)), tol=1e-9, max_iter=10_000)
        reference.fit(x_ND, data.class_ids)
        np.testing.assert_allclose(found.weight_DK.numpy(), reference.coef_.T, rtol=1e-2, atol=2e-3)
        expected = reference.predict_proba(x_ND)
        logits = x_ND @ found.weight_DK.double().numpy() + found.bias_K.double().numpy()
        np.testing.assert_allclose(torch.from_numpy(logits).softmax(1).numpy(), expected, atol=4e-3)


def test_lbfgs__a_small_penalty_on_correlated_features_is_no_obstacle() -> None:
    """In the weights themselves a thousand steps end short of the minimum."""
    rng = np.random.default_rng(0)
    mixed_DD = rng.normal(0, 1, (24, 24)) * np.logspace(0, -3, 24)
    table = (rng.normal(0, 1, (600, 24)) @ mixed_DD.T).astype(np.float16)
    class_ids = (table.astype(float) @ rng.normal(0, 1, (24, 4)) + rng.gumbel(0, 1, (600, 4))).argmax(1)
    found = lbfgs.fit(Examples(table=table, rows=np.arange(600), class_ids=class_ids), 4, 1e-6, CPU)
    x_ND = (table.astype(np.float64) - found.mean_D.numpy()) / found.scale
    reference = LogisticRegression(C=1 / (1e-6 * 600), tol=1e-9, solver="newton-cholesky").fit(x_ND, class_ids)

    def objective(weight_DK: np.ndarray, bias_K: np.ndarray) -> float:
        logits = torch.from_numpy(x_ND @ weight_DK + bias_K)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(class_ids))
        return float(loss) + 1e-6 / 2 * float((weight_DK**2).sum())

    least = objective(reference.coef_.T, reference.intercept_)
    ours = objective(found.weight_DK.double().numpy(), found.bias_K.double().numpy())
    assert ours == pytest.approx(least, abs=1e-5)


def test_lbfgs__pieces_add_up(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    data = clouds(30, 0)
    whole = lbfgs.fit(data, 6, 1e-2, CPU)
    monkeypatch.setattr(lbfgs, "_PIECE", 37)
    torch.testing.assert_close(lbfgs.fit(data, 6, 1e-2, CPU).weight_DK, whole.weight_DK, atol=1e-3, rtol=1e-2)


def test_lbfgs__the_penalty_is_chosen_by_what_is_held_out(clouds: Clouds) -> None:
    ticks: list[tuple[int, int]] = []
    probe = linear.probe("lbfgs", [1.0])
    train, test = clouds(30, 0), clouds(30, 1)
    for data in (train, test):
        data.table[:] = (data.table - 3) / np.logspace(-2, 2, 8)  # of one scale, as an encoder's are
    [found] = probe.run(case_of(train, test), 0, lambda *tick: ticks.append(tick))
    assert found.metrics["top1"] > 0.9
    assert 1e-6 <= float(found.chosen["lambda"]) <= 1e6
    assert ticks[-1][0] == ticks[-1][1] >= max(done for done, _ in ticks)


def test_linear__too_few_pictures_are_refused(clouds: Clouds) -> None:
    with pytest.raises(CatlipError, match="at least two readable training pictures"):
        measure("sweep", clouds(1, 0), clouds(1, 0))


def test_probe__measures_writes_and_encodes_once(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_colours(tmp_path / "colours")
    (data / "train/colour1/3.png").write_bytes(b"not a picture")
    asked = replace(ask(trained, data, tmp_path / "out"), fractions=[0.5, 1.0], seeds=[0, 1])
    told: list[tuple[int, int, str]] = []

    def go(with_random: bool) -> results.Result:
        return probe_one(replace(asked, with_random=with_random), "linear", lambda *words: told.append(words))

    result = go(True)
    assert [(score.encoder, score.setting) for score in result.scores] == [
        (encoder, setting) for encoder in ("model", "random") for setting in ("50 %", "100 %")
    ]
    best = result.scores[1].metrics["top1"]
    assert best.mean > 0.9
    assert len(best.values) == 2
    assert result.data.left_out == {"no known format": 1}
    assert (result.data.chance, result.data.num_train, result.data.num_test) == (0.25, 32, 16)
    assert len(result.scores[0].per_class) == 4
    assert (48, 48, "pictures, random encoder") in told
    [path] = (tmp_path / "out" / "probes").glob("*.json")
    assert path.name.startswith(f"{asked.opened.facts.name}-step40-linear-sweep-colours-")
    assert results.read(path) == result

    def refuse(*_: object) -> None:
        raise AssertionError("the features are there already")

    monkeypatch.setattr(features, "_compute", refuse)
    assert go(False).scores == result.scores[:2]


def test_probe__nothing_readable_says_why(trained: Path, make_colours: Callable[..., Path], tmp_path: Path) -> None:
    data = make_colours(tmp_path / "colours")
    for path in (data / "test").rglob("*.png"):
        path.write_bytes(b"not a picture")
    with pytest.raises(CatlipError, match=r"No picture of the test split can be read \(16 no known format\)"):
        probe_one(ask(trained, data, tmp_path / "out"), "linear")


def test_read__what_is_no_result_is_refused(tmp_path: Path) -> None:
    for content, message in ((None, "does not exist"), (b"{}", "no result"), (b"nonsense", "no result")):
        if content is not None:
            (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(CatlipError, match=message):
            results.read(tmp_path / "x.json")
