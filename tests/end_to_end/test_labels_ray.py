"""A real Ray on this machine: the same label set, whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from labelgen.engines.worker import DIED_TWICE
from labelgen.extract import Extractor
from labelshards.errors import CatlipError
from tests.end_to_end.builds import (
    DEADLINE_SECONDS,
    content,
    cut_tars,
    finish_here,
    started,
    wait_until,
    wait_until_alone,
)

pytestmark = pytest.mark.slow

# What a worker does with a shard is written in its name.
LEADER = """
import os, signal, sys
from functools import partial
from labelgen.candidates import Report
from labelgen.engines.on_ray import run_ray
from labelgen.engines.worker import Done
from labelgen.extract import Seconds
from labelgen.sources.sample import InputShard, SourceError
from labelshards.errors import CatlipError

class Extractor:
    def extract(self, shard):
        if shard.name.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if shard.name.startswith("memory"):
            raise MemoryError
        if shard.name.startswith("bad"):
            raise SourceError(f"{shard.name} is bad")
        if shard.name.startswith("bug"):
            try:
                import torch
            except ModuleNotFoundError:
                raise CatlipError("torch" if "torch" in sys.modules else "no torch") from None
        if shard.name.startswith("once") and not os.path.exists(shard.uri):
            open(shard.uri, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        nothing = dict(fingerprint="", samples=0, captions=0, images=0, problems={}, damage=None, image_files=())
        return Report(**nothing), Seconds()

if __name__ == "__main__":
    folder, *names = sys.argv[1:]
    todo = [InputShard(name=n, uri=f"{folder}/{n}", format="tar", identity="", size=1) for n in names]
    try:
        for outcome in list(run_ray(todo, Extractor, None)):
            print(outcome.shard.name, "done" if isinstance(outcome, Done) else outcome.reason)
    except CatlipError as error:
        print("error", error)
"""


def lead(folder: Path, *names: str, **env: str) -> dict[str, str]:
    """What a leader in a process of its own says of each shard."""
    (folder / "leader.py").write_text(LEADER)
    done = subprocess.run(
        [sys.executable, str(folder / "leader.py"), str(folder), *names],
        capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=True, env=os.environ | env,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_run_ray__only_the_guilty_shards_fail(tmp_path: Path) -> None:
    names = ["a", "bad", "kill", "once", "b", "memory", "c"]
    guilty = {name: f"{tmp_path}/{name}: {DIED_TWICE}" for name in ("kill", "memory")}
    assert lead(tmp_path, *names) == {**dict.fromkeys(names, "done"), "bad": "bad is bad", **guilty}
    assert lead(tmp_path, "bug") == {"error": "no torch"}


def test_run_ray__cluster_that_is_not_there(tmp_path: Path) -> None:
    said = lead(tmp_path, "a", RAY_ADDRESS="127.0.0.1:1")["error"]
    assert said.startswith("No Ray cluster at RAY_ADDRESS=127.0.0.1:1: ")


def test_run_ray__node_that_starts_too_slowly_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that does other work; Ray tells it with an exception of no kind, after 30 s."""
    import ray

    from labelgen.engines.on_ray import run_ray

    def make_none() -> Extractor:
        raise AssertionError("no worker is started")

    def init(**_options: object) -> None:
        raise Exception("The current node timed out during startup. This could happen because …")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(CatlipError, match=r"^No Ray cluster on this machine: The current node timed out during"):
        list(run_ray([], make_none, None))


def test_sigterm_kept__is_heard_by_who_heard_it_before() -> None:
    from labelgen.engines.on_ray import sigterm_kept

    def as_ray_does(number: int, _frame: object) -> None:
        sys.exit(number)

    def start() -> None:
        with sigterm_kept():
            signal.signal(signal.SIGTERM, as_ray_does)
            signal.raise_signal(signal.SIGTERM)

    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: heard.append(number))
    try:
        with pytest.raises(SystemExit):
            start()
        assert heard == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


def ray_workers(session: int) -> list[int]:
    """Processes that hold a shard."""
    lines = subprocess.run(["ps", "-eo", "pid=,sess=,args="], capture_output=True, text=True, check=True).stdout
    fields = [line.split(maxsplit=2) for line in lines.splitlines()]
    return [int(pid) for pid, of, what in fields if int(of) == session and what.startswith("ray::extract")]


@pytest.mark.usefixtures("one_process")
def test_build__ray_interrupted_then_a_worker_killed(test_data: Path, tmp_path: Path) -> None:
    cut_tars(test_data / "flickr8k" / "val" / "00000.tar", tmp_path, num_tars=6, samples_per_tar=20)
    sources, out = f"{tmp_path}/*.tar", tmp_path / "labels"
    with started(sources, out, "--engine", "ray") as process:
        wait_until(lambda: list((out / "_candidates").glob("*.parquet")))
        os.killpg(process.pid, signal.SIGINT)
        said, error = process.communicate(timeout=DEADLINE_SECONDS)
        assert (process.returncode, said) == (130, ""), error
        assert error.strip().endswith("Interrupted. Run the same command again to go on.")
        assert "Traceback" not in error
        wait_until_alone(process.pid)
    done_before = len(list((out / "_candidates").glob("*.parquet")))
    with started(sources, out, "--engine", "ray", "--workers", "2", "--json") as process:
        wait_until(lambda: ray_workers(process.pid))
        os.kill(ray_workers(process.pid)[0], signal.SIGKILL)
        said, error = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0, error
        wait_until_alone(process.pid)
    assert json.loads(said)["shards_extracted"] == 6 - done_before
    assert content(out) == finish_here(sources, tmp_path / "local")


def test_scratch__of_a_killed_leader_is_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelgen.engines.on_ray import _scratch

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, foreign = tmp_path / "ray-killed", tmp_path / "ray"
    for folder in (killed / "session", foreign):
        folder.mkdir(parents=True)
    (killed / ".catlip.lock").touch()
    with _scratch() as first:
        assert {path.name for path in tmp_path.iterdir()} == {"ray", Path(first).name}
        with _scratch() as second:
            assert Path(first).exists()
            assert first != second
    assert [path.name for path in tmp_path.iterdir()] == ["ray"]
