"""Processes that begin with torch and timm imported, which takes seconds of a core: forked from one that has done it.

    python -m tests.forked     that one: a request a line on stdin, an answer a line on stdout

What is forked runs `python -m MODULE …` or `python FILE …` to its end: its own memory, signals, exit code, last words.
"""

import atexit
import importlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast

_IMPORTED = (
    "catlip_cli.main",
    "trainer.training.train",
    "trainer.probes.tasks",
    "torch.distributed.checkpoint.hf_storage",
)
_POLL_SECONDS = 0.01


class Forked:
    """A process that runs `python` with these words, the first being `-m MODULE` or a file. Like subprocess.Popen."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._said = ("", "")
        request = {
            "words": [*words],
            "environment": dict(environment or os.environ),
            "cwd": str(cwd or Path.cwd()),
            "folder": str(self._folder),
        }
        self.pid = cast("int", _ask(request))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return self._wait(0)

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing, if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 600) -> tuple[str, str]:
        """What it said on stdout and on stderr, once it has ended. Raises TimeoutError if it does not."""
        if self._wait(timeout) is None:
            raise TimeoutError(f"{self.pid} has not ended after {timeout} s")
        if self._folder.exists():
            self._said = (self._folder / "1").read_text(), (self._folder / "2").read_text()
            shutil.rmtree(self._folder)
        return self._said

    def _wait(self, seconds: float) -> int | None:
        if self.returncode is None:
            self.returncode = cast("int | None", _ask({"pid": self.pid, "seconds": seconds}))
        return self.returncode


@cache
def _server() -> "subprocess.Popen[str]":
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.forked"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(started.communicate)  # it ends when nothing more can come
    return started


def _ask(request: Mapping[str, Any]) -> object:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def _serve() -> None:
    for module in _IMPORTED:
        importlib.import_module(module)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        if "words" in request:
            answer: int | None = os.fork()
            if not answer:
                answers.close()
                _become(**request)
                return
        else:
            answer = _ended(**request)
        print(json.dumps(answer), file=answers, flush=True)


def _become(words: list[str], environment: dict[str, str], cwd: str, folder: str) -> None:
    os.setsid()  # as a shell gives each job a group of its own: what is sent to all of it reaches nobody else
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    for number, path in enumerate((os.devnull, f"{folder}/1", f"{folder}/2")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        _leave(0)
    except SystemExit as error:
        if isinstance(error.code, str):
            raise  # Python prints it
        _leave(error.code or 0)


def _leave(code: int) -> NoReturn:
    """End as processes do that multiprocessing forked: what is left for the end is done, but Python is not taken apart.

    With torch imported that costs two seconds of a core, for nothing that anybody could see.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _ended(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while not (found := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_SECONDS)
    return os.waitstatus_to_exitcode(found[1])


if __name__ == "__main__":
    _serve()
