"""Zero-shot by prompts: of runs on captions, through the same task as through a vocabulary."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import CPU
from trainer.opening import open_model
from trainer.probes import probing, prompts, zeroshot
from trainer.probes.data.opening import open_splits
from trainer.probes.probe import Asked
from trainer.probes.results import Result
from trainer.probes.tasks import TASKS


def probe(model: Path, data: Path, out: Path, *overrides: str) -> Result:
    opened, splits = open_model(str(model), "pretrained", CPU), open_splits(data)
    asked = Asked(opened=opened, splits=splits, data=data, out=out, overrides=overrides)
    [result] = probing.measure(asked, zeroshot.probes(asked), lambda *_: None)
    return result


@pytest.fixture(scope="module")
def colours(make_colours: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_colours(tmp_path_factory.mktemp("data") / "colours")


def test_zeroshot__a_run_on_captions_names_what_they_named(clip_run: Path, colours: Path, tmp_path: Path) -> None:
    result = probe(clip_run, colours, tmp_path)
    assert (result.protocol, result.settings["templates"]) == ("prompts", ["a photo of a {}."])
    [score] = result.scores
    assert score.setting == "a photo of a {}."
    assert score.metrics["top1"].mean > 0.9
    assert not result.matches


def test_zeroshot__other_templates_are_other_scores(clip_run: Path, colours: Path, tmp_path: Path) -> None:
    result = probe(clip_run, colours, tmp_path, 'zeroshot.templates=["{}", "one {} more"]')
    assert result.settings["templates"] == ["{}", "one {} more"]
    assert result.scores[0].setting == "2 templates"


def test_zeroshot__templates_are_not_for_a_vocabulary(trained: Path, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"zeroshot.templates=simple is for models with a text tower; .* has none"):
        probe(trained, colours, tmp_path, "zeroshot.templates=simple")


def test_templates__by_name_are_clips() -> None:
    called, simple = prompts.templates(["linear.epochs=3", "zeroshot.templates=simple"])
    assert called == "simple"
    assert [each.format("dog") for each in simple] == [each("dog") for each in open_clip.SIMPLE_IMAGENET_TEMPLATES]
    assert len(prompts.templates(["zeroshot.templates=imagenet"])[1]) == 80
    assert prompts.templates([]) == ("a photo of a {}.", ["a photo of a {}."])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("zeroshot.template=simple", r"unknown key zeroshot\.template; did you mean zeroshot\.templates\?"),
        ("zeroshot.templates=a photo", r"'a photo' has no single \{\} for a class's name"),
        ("zeroshot.templates=[]", r"has no single \{\}"),
        ("zeroshot.templates=['{} or {}']", r"'\{\} or \{\}' has no single"),
    ],
)
def test_templates__mistakes_are_named(override: str, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        prompts.templates([override])


def test_words__are_what_a_caption_would_say() -> None:
    names = ["polar_bear", "dog.n.01", "hot_dog.n.02", "tench, Tinca tinca", "St. Bernard"]
    assert prompts.words(names) == ["polar bear", "dog", "hot dog", "tench", "St. Bernard"]
    with pytest.raises(CatlipError, match=r"called by ids \(n02084071, …\)"):
        prompts.words(["dog", "n02084071"])


def test_probes__of_the_image_tower_alone(clip_run: Path, colours: Path, tmp_path: Path) -> None:
    """Any other task takes the encoder as it takes every encoder."""
    asked = Asked(
        opened=open_model(str(clip_run), "pretrained", CPU, best=True),
        splits=open_splits(colours),
        data=colours,
        out=tmp_path,
        with_random=False,
    )
    probes = [probe for task in ("linear", "knn") for probe in TASKS[task](asked)]
    found = probing.measure(asked, probes, lambda *_: None)
    assert all(result.scores[0].metrics["top1"].mean > 0.9 for result in found)
    with pytest.raises(CatlipError, match="has no vocabulary that says what its head's classes are"):
        TASKS["linear"](replace(asked, inits=["transfer"]))
