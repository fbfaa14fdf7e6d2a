from pathlib import Path

import msgspec
import pytest

from tools import measure
from tools.measure import Measure, render

LABELS = '''"""Labels. Shapes: B samples, C channels, H x W pixels."""

import numpy as np


class Rows:
    """Rows."""

    @property
    def ids_N(self) -> np.ndarray:
        """int64 [N]."""
        return self._ids  # noqa: SLF001

    def add(self, x_BCHW: "np.ndarray", scale):
        """Take them in."""
        # Twice, because of their scale.
        self._add(x_BCHW, scale)  # in place

    def _add(self, x: np.ndarray, scale: float) -> None: ...


def take(x_NK: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows."""

    def inner() -> None: ...
'''
TESTS = "def test_take__gives_rows() -> None: ...\ndef test_take() -> None: ...\n" + "\n" * 400


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "labelgen/labels.py": LABELS,
        "trainer/utils.py": "",
        "tests/test_labels.py": TESTS,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_measure__counts_what_is_there_and_names_what_is_missing(tree: Path) -> None:
    found = measure.measure(tree)
    source, tests = found.parts["source"], found.parts["tests"]
    assert (source.modules, source.lines, source.lines_median, source.lines_max) == (2, 25, 12.5, 25)
    assert (source.functions, source.untyped) == (5, ["labelgen/labels.py:14 add"])
    assert source.typed == 0.8
    assert (source.public, source.documented) == (5, 1)  # the module, a class, a property, a method, a function
    assert (source.arrays, source.unshaped) == (3, ["labelgen/labels.py:22 take"])
    assert source.comments == 2 / 25
    assert source.empty_names == ["trainer/utils.py"]
    assert source.named is None
    assert (tests.too_long, tests.named) == (["tests/test_labels.py"], 0.5)
    assert tests.unnamed == ["tests/test_labels.py:2 test_take"]
    assert found.tests_to_source == 402 / 25


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def f(x: np.ndarray) -> None:\n    'int64 [n].'", True),
        ("def f(x: np.ndarray) -> None:\n    '[rows, 7], views.'", True),
        ("def f(x: np.ndarray) -> None:\n    'Tensors of any shape.'", True),
        ("def f(x: np.ndarray) -> None:\n    'Rows of x[at].'", False),
        ("'Shapes: B samples, K classes.'\ndef targets_BK(x_BK: np.ndarray) -> np.ndarray: ...", True),
        ("'Shapes: B samples.'\ndef targets_BK(x_BK: np.ndarray) -> np.ndarray: ...", False),
        ("'Shapes: B samples.'\ndef targets(x_B: np.ndarray) -> np.ndarray: ...", False),
        (
            "class A:\n    def f(self) -> Tensor:\n        '[B].'\nclass B(A):\n"
            "    def f(self) -> Tensor:\n        'See `A`, which says it.'",
            True,
        ),
        ("class A:\n    def f(self) -> Tensor:\n        'See `C`.'", False),
        ("'All are tensors of any shape.'\ndef f(x: Tensor) -> Tensor:\n    'softplus(x).'", True),
    ],
)
def test_measure__takes_for_a_shape(code: str, says: bool, tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/labels.py").write_text(code)
    assert measure.measure(tmp_path).parts["source"].shaped == says


@pytest.mark.parametrize("annotation", ["dict[str, Tensor]", "Mapping[str, torch.Tensor] | None", "list[str]"])
def test_measure__asks_no_shapes_of_tensors_by_name(annotation: str, tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/labels.py").write_text(f"def f(x: {annotation}) -> {annotation}: ...")
    assert measure.measure(tmp_path).parts["source"].arrays == 0


def test_measure__of_an_empty_tree_divides_by_nothing(tmp_path: Path) -> None:
    found = measure.measure(tmp_path)
    assert found.parts["source"].typed is None
    assert render(found).row_count == len(measure.ROWS)


def test_main__prints_a_table(tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(measure, "ROOT", tree)
    measure.main([])
    table = capsys.readouterr().out
    assert all(title in table for title, _, _ in measure.ROWS)


def test_main__gives_json_of_a_tree_that_keeps_what_has_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This tree's source alone, which takes half the time."""
    for package in measure.SOURCE:
        (tmp_path / package).symlink_to(measure.ROOT / package)
    monkeypatch.setattr(measure, "ROOT", tmp_path)
    measure.main(["--json"])
    source = msgspec.json.decode(capsys.readouterr().out, type=Measure).parts["source"]
    assert source.modules > 300
    assert (source.typed, source.documented, source.too_long, source.empty_names) == (1, 1, [], [])
    assert source.unshaped == []
    assert source.lines_median <= 150
