import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError
from labelshards.matching import EXACT, HYPERNYM, HYPONYMS, SIMILAR, Match
from tests.labelset_factory import vocabulary
from tests.trainer.probes.cases import CPU, ask, case_of, probe_one
from trainer.encoders import models
from trainer.opening import open_model
from trainer.probes import zeroshot
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples
from trainer.probes.labelhead import LabelHead, label_head
from trainer.probes.probe import Case, Measured
from trainer.probes.results import Result

# Five classes of a vocabulary over two features; class 0 is a hundred times as frequent as the others.
HEAD = LabelHead(
    weight_KD=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]),
    bias_K=torch.tensor([2.0, 0.0, -1.0, 0.0, 0.5]),
    log_support_K=torch.tensor([100.0, 1.0, 1.0, 1.0, 3.0]).log(),
)
MATCHES = [
    Match(name="one class", kind=EXACT, class_ids=[0], similarity=1.0),
    Match(name="its kinds", kind=HYPONYMS, class_ids=[1, 4], similarity=0.5),
    Match(name="what it is a kind of", kind=HYPERNYM, class_ids=[2], similarity=0.25),
    Match(name="neighbours", kind=SIMILAR, class_ids=[2, 3], similarity=0.2),
    Match(name="nothing"),
]


def test_scores__rows_by_hand() -> None:
    """Features (1, 2): logits 3, 2, 2, -1 and -1.5."""
    x_BD = torch.tensor([[1.0, 2.0]])
    odds = [math.exp(each) for each in (3, 2, 2, -1, -1.5)]
    expected = [3.0, math.log(odds[1] + odds[4]), 2 + math.log(0.25), math.log(odds[2] + odds[3]) + math.log(0.2)]
    found = HEAD.scores(x_BD, MATCHES, by_frequency=True)[0].tolist()
    assert found == pytest.approx([*expected, -math.inf])
    support = [100, 1 + 3, 1, 1 + 1]
    found = HEAD.scores(x_BD, MATCHES, by_frequency=False)[0].tolist()
    corrected = [score - math.log(count) for score, count in zip(expected, support, strict=True)]
    assert found == pytest.approx([*corrected, -math.inf])


def test_scores__removing_frequency_changes_who_is_named() -> None:
    x_BD = torch.tensor([[1.0, 2.0]])
    matches = MATCHES[:2]
    assert HEAD.scores(x_BD, matches, by_frequency=True).argmax() == 0
    assert HEAD.scores(x_BD, matches, by_frequency=False).argmax() == 1


def test_scores__a_class_shares_its_row_and_comes_first() -> None:
    """A dog's row stands for the poodle, too; the picture of a dog is a dog all the same."""
    matches = [
        Match(name="poodle", kind=HYPERNYM, class_ids=[1], similarity=0.5),
        Match(name="dog", kind=EXACT, class_ids=[1], similarity=1.0),
    ]
    assert (HEAD.scores(torch.randn(50, 2), matches, by_frequency=False).argmax(1) == 1).all()


def points(table: list[list[float]], class_ids: list[int]) -> Examples:
    return Examples(table=np.array(table, np.float16), rows=np.arange(len(table)), class_ids=np.array(class_ids))


def measured(case: Case) -> list[Measured]:
    def scorer(x_BD: torch.Tensor) -> torch.Tensor:
        return torch.cat([x_BD, torch.full((len(x_BD), 1), -math.inf)], dim=1)

    return zeroshot.probe("features are scores", {"line": scorer}).run(case, 0, lambda *_: None)


def test_plan__a_class_without_a_match_is_never_named() -> None:
    test = points([[3, 1], [1, 3], [3, 1], [0, 1]], [0, 1, 2, 0])
    [found] = measured(case_of(test, test, 3))
    assert found.metrics["top1"] == found.metrics["mean_per_class"] + 0.0 == 0.5
    assert found.metrics["top5"] == 0.75
    assert found.metrics["top1_of_matched"] == pytest.approx(2 / 3)
    assert found.per_class.tolist() == [0.5, 1.0, 0.0]


def test_plan__pictures_with_several_classes() -> None:
    test = points([[3, 1], [2, 3], [1, 2]], [0, 0, 0])
    case = case_of(test, test, 3)
    several = Split.of_many(
        case.splits[1].pictures, case.splits[1].classes, [np.array([0, 2]), np.array([1]), np.array([1])], Counter()
    )
    [found] = measured(replace(case, splits=(several, several)))
    assert found.per_class == pytest.approx([1.0, 1.0, 1 / 3])
    assert found.metrics == {"mAP": pytest.approx(7 / 9)}


@pytest.mark.parametrize("kind", ["bce", "softmax"])
def test_zeroshot__a_run_names_what_it_was_trained_on(
    kind: str, trained: Path, trained_with_softmax: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    run = trained if kind == "bce" else trained_with_softmax
    data = make_colours(tmp_path / "colours")
    result = probe(run, data, tmp_path / "out")
    assert [score.setting for score in result.scores] == [zeroshot.AS_TRAINED, zeroshot.FREQUENCY_REMOVED]
    assert all(score.metrics["top1"].mean > 0.9 for score in result.scores)
    assert [match.class_ids for match in result.matches] == [[0], [1], [2], [3]]
    assert len(list((tmp_path / "out" / "features").glob("*.status.npy"))) == 1  # of the test split alone


def test_scores__are_the_heads_own_logits(trained: Path) -> None:
    opened = open_model(str(trained), "pretrained", CPU)
    head, words = label_head(opened, "zeroshot")
    x_BCHW = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        logits_BK = opened.encoder.model(x_BCHW)
        features_BD = models.features(opened.encoder.model, x_BCHW)
    matches = [Match(name=name, kind=EXACT, class_ids=[k], similarity=1.0) for k, name in enumerate(words.synsets)]
    torch.testing.assert_close(head.scores(features_BD, matches, by_frequency=True), logits_BK)


def probe(model: Path | str, data: Path, out: Path) -> Result:
    return probe_one(replace(ask(model, data, out), seeds=[0, 1], with_random=True), "zeroshot")


def test_zeroshot__without_vocabulary_or_without_matches_says_so(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "colours")
    with pytest.raises(CatlipError, match=r"test_vit has no vocabulary .* a run of `catlip train`"):
        probe("test_vit", data, tmp_path)
    for split in ("train", "test"):
        for number in range(4):
            (data / split / f"colour{number}").rename(data / split / f"thing{number}")
    with pytest.raises(CatlipError, match=r"None of the data's 4 classes \('thing0', …\) has a match"):
        probe(trained, data, tmp_path)


def test_label_head__of_another_size_is_refused(trained: Path) -> None:
    model = open_model(str(trained), "pretrained", CPU).encoder.model
    with pytest.raises(CatlipError, match="no linear head over the 7 classes"):
        LabelHead.of(model, vocabulary(7))
