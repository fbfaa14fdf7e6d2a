import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from timm.data.mixup import Mixup

from labelshards.errors import CatlipError
from tests.trainer.probes.cases import ask, probe_one, silent
from trainer.distributed import World
from trainer.encoders.encoder import PictureInput
from trainer.probes.finetune.crops import Batch
from trainer.probes.finetune.model import Classifying
from trainer.probes.probing import Report
from trainer.probes.results import Result

CPU = torch.device("cpu")
SETTINGS = ("finetune.epochs=6", "finetune.batch_size=12", "finetune.lr=3e-3", "finetune.min_scale=0.5")


@pytest.fixture(scope="module")
def colours(make_colours: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_colours(tmp_path_factory.mktemp("colours"))


def probe(
    model: Path | str,
    data: Path,
    out: Path,
    *overrides: str,
    protocol: str = "strong",
    report: Report = silent,
    fractions: tuple[float, ...] = (1.0,),
    with_random: bool = False,
    inits: Sequence[str] = ("zeros",),
) -> Result:
    asked = replace(
        ask(model, data, out),
        protocols=[protocol],
        fractions=fractions,
        inits=inits,
        overrides=[*SETTINGS, *overrides],
        with_random=with_random,
    )
    return probe_one(asked, "finetune", report)


def test_finetune__learns_with_mixed_pictures_at_several_sizes_and_fractions(
    trained: Path, colours: Path, tmp_path: Path
) -> None:
    scales = [f"finetune.multi_scale.{key}" for key in ("num_sizes=2", "min_size=16", "max_size=48")]
    result = probe(trained, colours, tmp_path, *scales, fractions=(0.5, 1.0), with_random=True)
    assert [(each.encoder, each.setting) for each in result.scores] == [
        (encoder, setting) for encoder in ("model", "random") for setting in ("50 %", "100 %")
    ]
    assert result.scores[1].metrics["top1"].mean > 0.5  # one of four by chance
    assert result.settings["layer_decay"] == 0.75


def test_finetune__stopped_and_resumed_ends_with_the_same_bits(trained: Path, colours: Path, tmp_path: Path) -> None:
    def stop(done: int, _total: int, what: str) -> None:
        if "finetune" in what and done == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    whole = probe(trained, colours, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        probe(trained, colours, tmp_path / "stopped", report=stop)
    steps: list[int] = []
    resumed = probe(trained, colours, tmp_path / "stopped", report=lambda done, *_: steps.append(done))
    assert steps[0] == 10  # the step in hand is finished, and it was the ninth
    assert resumed.scores[0].metrics == whole.scores[0].metrics
    [[one], [other]] = (list((tmp_path / name / "tuned").glob("*/*.safetensors")) for name in ("whole", "stopped"))
    ours, theirs = load_file(one), load_file(other)
    assert set(ours) == set(theirs)
    assert all(name.startswith("ema.") for name in ours)  # a finished training keeps no more than its result
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_finetune__a_finished_training_is_only_read(trained: Path, colours: Path, tmp_path: Path) -> None:
    first = probe(trained, colours, tmp_path, "finetune.epochs=1")
    steps: list[int] = []
    assert (
        probe(trained, colours, tmp_path, "finetune.epochs=1", report=lambda d, *_: steps.append(d)).scores
        == first.scores
    )
    assert not steps
    probe(trained, colours, tmp_path, "finetune.epochs=2", report=lambda d, *_: steps.append(d))
    assert steps  # other settings are another training


def test_finetune__grey_transparent_and_broken_pictures(
    make_colours: Callable[..., Path], trained: Path, tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "data", train=4, test=2)
    Image.new("L", (20, 30), 90).save(data / "train" / "colour0" / "grey.png")
    Image.new("RGBA", (20, 30), (9, 9, 9, 99)).save(data / "train" / "colour1" / "clear.png")
    (data / "train" / "colour2" / "broken.jpg").write_bytes(b"\xff\xd8nothing")
    (data / "test" / "colour2" / "broken.jpg").write_bytes(b"nothing")
    result = probe(trained, data, tmp_path, "finetune.epochs=2", protocol="catlip")
    # Two epochs, and the test split.
    assert result.data.left_out == {"no known format": 3} or result.data.left_out == {
        "damaged": 2,
        "no known format": 1,
    }


def test_finetune__what_cannot_be_trained_is_named(trained: Path, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="33 pixels a side are no multiple of the encoder's patches"):
        probe("test_vit", colours, tmp_path, "finetune.image_size=33")
    with pytest.raises(CatlipError, match=r"Step 2: loss nan.*Lower the task's lr"):
        probe(trained, colours, tmp_path, "finetune.lr=1e30", "finetune.warmup=0")


def test_probe__a_task_of_one_process_is_refused_under_torchrun(trained: Path, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="knn is a task of one process"):
        probe_one(replace(ask(trained, colours, tmp_path), world=World(device=CPU, size=2)), "knn")


def test_finetune__may_begin_with_rows_of_the_label_head(trained: Path, colours: Path, tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="has no vocabulary"):
        probe("test_vit", colours, tmp_path, inits=["transfer"])
    result = probe(trained, colours, tmp_path, "finetune.epochs=1", inits=["transfer"], with_random=True)
    assert result.protocol == "strong, transfer init"
    assert [match.kind for match in result.matches] == ["exact"] * 4
    assert [each.encoder for each in result.scores] == ["model"]


def batch(size: int, num_classes: int, seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    return Batch(
        images_BCHW=torch.randint(0, 256, (size, 3, 4, 4), generator=rng, dtype=torch.uint8),
        flips_B=torch.arange(size) % 2 == 0,
        class_ids_B=torch.arange(size) % num_classes,
        bad=(),
    )


def classifying(mix: Mixup | None = None) -> Classifying:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 3))
    picture = PictureInput(image_size=4, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return Classifying(model, picture, 0.1, mix)


def test_classifying__is_cross_entropy_and_parts_add_up() -> None:
    whole = batch(6, 3)
    objective = classifying()
    images = torch.where(whole.flips_B[:, None, None, None], whole.images_BCHW.flip(-1), whole.images_BCHW)
    expected = F.cross_entropy(objective.model(images / 127.5 - 1), whole.class_ids_B, label_smoothing=0.1)
    assert objective(whole, 6.0).item() == pytest.approx(expected.item(), rel=1e-5)
    parts = [
        Batch(
            images_BCHW=whole.images_BCHW[part],
            flips_B=whole.flips_B[part],
            class_ids_B=whole.class_ids_B[part],
            bad=(),
        )
        for part in (slice(0, 2), slice(2, 6))
    ]
    assert sum(objective(part, 6.0).item() for part in parts) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_classifying__mixing_takes_batches_of_any_size(size: int) -> None:
    objective = classifying(Mixup(0.8, 1.0, label_smoothing=0.0, num_classes=3))  # type: ignore[no-untyped-call]
    np.random.seed(0)
    assert torch.isfinite(objective(batch(size, 3), float(size)))


def test_finetune__test_pictures_that_are_all_broken_are_no_result(
    trained: Path, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "data", train=2, test=1)
    for path in (data / "test").rglob("*.png"):
        path.write_bytes(b"none")
    with pytest.raises(CatlipError, match=r"No picture of the test split can be read \(4 no known format\)"):
        probe(trained, data, tmp_path, "finetune.epochs=1")
    assert not list((tmp_path / "probes").iterdir())
