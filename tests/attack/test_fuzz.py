"""Each reader, a moment of it: the seeds are read, and what is made of them is read or refused in a line."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from tests.attack.attempt import READ, Finding, Sandbox, blind, changed
from tests.attack.fuzz import attack
from tests.attack.reader import Reader
from tests.attack.readers import ROOMS, all_readers

COUNT = 12  # inputs for each reader; `python -m tests.attack.fuzz` tries as many as there is time for


@pytest.mark.parametrize("room", ROOMS)
def test_readers__read_or_refuse_in_a_line(tmp_path: Path, room: str) -> None:
    for name, reader in all_readers(room).items():
        ended, found = blind(reader, tmp_path / name / "box", seed=1, count=COUNT)
        assert ended[READ] >= 1, name
        assert not found, f"{name}:\n" + "\n".join(finding.told for finding, _ in found[:3])


def _fails(file: Path, _out: Path) -> None:
    raise KeyError(file.read_bytes())


def _talks(_file: Path, _out: Path) -> None:
    raise CatlipError("line\n" * 9)


def _writes(file: Path, out: Path) -> None:
    (out / "may be written").touch()
    (file.parents[1] / "may not").touch()


def _escapes(file: Path, _out: Path) -> None:
    (file.parents[2] / "beside").touch()


def _refuses(file: Path, _out: Path) -> None:
    file.with_name("nowhere").read_bytes()


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (_fails, "KeyError"),
        (_talks, "an error that is no line for people"),
        (_writes, "files changed"),
        (_escapes, "files changed"),
        (_refuses, "FileNotFoundError"),
    ],
)
def test_attempt__tells_findings_from_refusals(tmp_path: Path, call: Callable[[Path, Path], object], kind: str) -> None:
    reader = Reader(name="x", file="x", seeds=[b"x"], call=call)
    ended = Sandbox(tmp_path / "box", reader).attempt(b"x")
    assert (ended.kind if isinstance(ended, Finding) else ended) == kind
    assert isinstance(ended, Finding) == (call is not _refuses)


def test_changed__is_the_same_for_the_same_seed() -> None:
    reader = all_readers("source_files")["tar"]

    def inputs() -> list[bytes]:
        rng = random.Random(3)
        return [changed(rng, reader, reader.seeds[0], reader.seeds) for _ in range(50)]

    assert inputs() == inputs()
    assert len(set(inputs())) > 40
    assert max(map(len, inputs())) <= reader.max_bytes


@pytest.mark.slow
def test_attack__is_guided_by_what_inputs_reach(tmp_path: Path) -> None:
    """For two seconds; what was learned is kept for the next attack."""
    pytest.importorskip("atheris", reason="atheris is for Linux alone")
    found = attack("settings", 2, 1, tmp_path)
    assert found.ended[READ] >= 1
    assert found.branches > 10
    assert not (tmp_path / "findings").exists()
    assert len([*(tmp_path / "corpus").iterdir()]) > 2
    assert str(found).startswith(f"settings: {found.ended.total():,} inputs in 0.")


def test_attack__of_a_process_that_died_keeps_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed for its memory, say: nothing of it is left but what it was reading."""
    calls = 0

    def die(_words: object, **_: object) -> int:
        nonlocal calls
        calls += 1
        (tmp_path / "notes.json").write_text('{"ended": {"read": 3}, "peak_kib": 2048}')
        sandbox = Sandbox(tmp_path / "box" / "box", all_readers("label_files")["settings"])
        sandbox.file.write_bytes(b"deadly")
        return -9 if calls == 1 else 0

    monkeypatch.setattr(subprocess, "call", die)
    found = attack("settings", 60, 1, tmp_path)
    assert (calls, found.restarts, found.peak_mib, found.ended[READ]) == (2, 1, 2, 6)
    [finding] = (tmp_path / "findings").iterdir()
    assert (finding / "input").read_bytes() == b"deadly"
    assert "1 findings" in str(found)
