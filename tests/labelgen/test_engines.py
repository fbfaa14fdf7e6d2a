import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelgen.engines.local import run_local, signals_later
from labelgen.engines.worker import DIED_TWICE, ONE_THREAD

# The workers below are real processes; what they do with a shard is written in its name.
WORKER = """
import os, signal, sys
from labelgen.engines.local import run_local, start
from labelgen.engines.worker import Done
from labelgen.candidates import Report
from labelgen.extract import Seconds
from labelgen.sources.sample import InputShard, SourceError
from labelshards.errors import CatlipError

class Extractor:
    def extract(self, shard):
        if shard.name.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if shard.name.startswith("memory"):
            bytearray(1 << 60)
        if shard.name.startswith("bad"):
            raise SourceError(f"{shard.name} is bad")
        if shard.name.startswith("once") and not os.path.exists(shard.uri):
            open(shard.uri, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        if shard.name.startswith("who"):
            raise SourceError(str(os.getpid()))
        if shard.name.startswith("told"):
            raise SourceError("spaCy is there" if "spacy" in sys.modules else "no spaCy")
        if shard.name.startswith("bug"):
            try:
                import torch
            except ModuleNotFoundError:
                raise CatlipError("torch" if "torch" in sys.modules else "no torch") from None
        nothing = dict(fingerprint="", samples=0, captions=0, images=0, problems={}, damage=None, image_files=())
        return Report(**nothing), Seconds()

def make(how):
    if how == "broken":
        raise CatlipError("the model cannot be loaded")
    return Extractor()
"""

MAIN = """
if __name__ == "__main__":
    from functools import partial
    folder, how, workers, *names = sys.argv[1:]
    if how == "started":
        start(parses=True)
    if how == "interrupted":
        from multiprocessing import forkserver
        connect = forkserver.connect_to_new_process
        def interrupted(fds):
            found = connect(fds)
            os.kill(os.getpid(), signal.SIGINT)  # the worker is there, and its pool has not heard of it
            return found
        forkserver.connect_to_new_process = interrupted
    todo = [InputShard(name=n, uri=f"{folder}/{n}", format="tar", identity="", size=1) for n in names]
    try:
        for outcome in run_local(todo, partial(make, how), int(workers)):
            print(outcome.shard.name, "done" if isinstance(outcome, Done) else outcome.reason)
    except CatlipError as error:
        print("error", error)
    except KeyboardInterrupt:
        print("interrupted")
"""


def run(folder: Path, *names: str, how: str = "fine", workers: int = 2) -> list[str]:
    """Lines that a leader in a process of its own says, sorted."""
    script = folder / "leader.py"
    script.write_text(WORKER + MAIN)
    done = subprocess.run(
        [sys.executable, str(script), str(folder), how, str(workers), *names],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return sorted(done.stdout.splitlines())


@pytest.mark.slow
def test_run_local__only_the_guilty_shard_fails(tmp_path: Path) -> None:
    names = ["a", "b", "bad", "kill1", "c", "memory", "d", "kill2", "e"]
    said = dict(line.split(" ", 1) for line in run(tmp_path, *names))
    killed = {name: f"{tmp_path}/{name}: {DIED_TWICE}" for name in ("kill1", "kill2", "memory")}
    assert said == {**dict.fromkeys(names, "done"), "bad": "bad is bad", **killed}


@pytest.mark.slow
def test_run_local__killed_once_is_done_the_second_time(tmp_path: Path) -> None:
    assert run(tmp_path, "a", "once", "b") == ["a done", "b done", "once done"]


@pytest.mark.slow
def test_run_local__one_worker_does_all_shards_of_a_run(tmp_path: Path) -> None:
    lines = run(tmp_path, *(f"who-{number}" for number in range(6)), workers=1)
    assert [line.split()[0] for line in lines] == [f"who-{number}" for number in range(6)]
    assert len({line.split()[1] for line in lines}) == 1


def test_run_local__each_shard_once_with_more_workers_than_shards(tmp_path: Path) -> None:
    assert run(tmp_path, "a", "b", workers=5) == ["a done", "b done"]


@pytest.mark.slow
def test_run_local__worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    assert run(tmp_path, "a", "b", how="broken") == ["error the model cannot be loaded"]


@pytest.mark.slow
def test_run_local__other_errors_end_the_run(tmp_path: Path) -> None:
    assert run(tmp_path, "bug", workers=1) == ["error no torch"]


@pytest.mark.slow
def test_run_local__an_interrupted_start_of_a_worker_is_no_traceback(tmp_path: Path) -> None:
    assert run(tmp_path, "a", how="interrupted", workers=1) == ["interrupted"]


def signalled(done: list[int], *numbers: int) -> None:
    """These signals come one after another; `done`: what went on after each."""
    with signals_later():
        for number in numbers:
            signal.raise_signal(number)
            done.append(number)


def test_signals_later__what_is_under_way_ends_first() -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        signalled(done, signal.SIGINT)
    assert done == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_signals_later__one_is_not_lost_where_the_start_fails() -> None:
    def fail() -> None:
        with signals_later():
            signal.raise_signal(signal.SIGINT)
            raise BrokenPipeError

    with pytest.raises(KeyboardInterrupt):
        fail()


def test_signals_later__a_second_one_is_heard_at_once() -> None:
    done: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signalled(done, signal.SIGTERM, signal.SIGINT)
    assert done == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


def test_signals_later__in_another_thread_nothing_is_changed() -> None:
    def handler() -> object:
        with signals_later():
            return signal.getsignal(signal.SIGINT)

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(handler).result() is signal.getsignal(signal.SIGINT)


@pytest.mark.slow
def test_start__workers_share_what_was_imported_for_them(tmp_path: Path) -> None:
    assert run(tmp_path, "told1", "told2", how="started") == ["told1 spaCy is there", "told2 spaCy is there"]
    assert run(tmp_path, "bug", how="started") == ["error no torch"]


def test_preloaded__runs_no_thread() -> None:
    say = "import os, sys, labelgen.preloaded; print(len(os.listdir('/proc/self/task')), 'spacy' in sys.modules)"
    environment = os.environ | ONE_THREAD
    done = subprocess.run([sys.executable, "-c", say], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1 True\n"


def test_run_local__nothing_to_do_starts_nothing() -> None:
    def fail() -> None:
        raise AssertionError

    before = multiprocessing.active_children()
    assert list(run_local([], fail, 2)) == []  # type: ignore[arg-type]
    assert multiprocessing.active_children() == before
