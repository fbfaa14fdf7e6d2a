"""What a command leaves behind: its result, and what should not be there."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.attack.victims import Process
from tests.end_to_end.builds import members_of

SHARED_MEMORY = Path("/dev/shm")
_SECONDS_TO_END = 20.0
# A line of training says how fast it was.
_SPEEDS = ("images_per_second", "images_per_second_per_process", "data_wait_share")
_LINES = ("metrics.jsonl",)


def result(folder: Path) -> dict[str, bytes]:
    """Bytes of all files in a folder, by path. Locks are no result, nor are the speeds in a training's lines."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not (path.name.endswith(".lock") or path.name.startswith(".build")):
            data = path.read_bytes()
            found[str(path.relative_to(folder))] = _without_speeds(data) if path.name in _LINES else data
    return found


def differences(found: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
    """Files that are missing, too many, or not the same, in words."""
    return [
        *(f"{name} is missing" for name in sorted(wanted.keys() - found.keys())),
        *(f"{name} was left over" for name in sorted(found.keys() - wanted.keys())),
        *(f"{name} differs" for name in sorted(wanted.keys() & found.keys()) if wanted[name] != found[name]),
    ]


def temporary(folder: Path) -> list[str]:
    """What is left in a folder for temporary files, but for the empty folders of Python's own helper processes."""
    found = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    found += [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("pymp-")]
    return [f"temporary {path.relative_to(folder)} was left over" for path in found]


def orphans(processes: Iterable[Process]) -> list[str]:
    """Processes that outlived those that started them, after they had time to notice; they are killed."""
    sessions = [process.pid for process in processes]
    deadline = time.monotonic() + _SECONDS_TO_END
    while (left := [pid for session in sessions for pid in members_of(session)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    told = [f"process {pid} ({words_of(pid)}) outlived its parent" for pid in left]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return told


def shared_memory() -> set[str]:
    """Names in /dev/shm, but for Python's own semaphores: where all of a command is killed, nobody clears them."""
    names = {path.name for path in SHARED_MEMORY.iterdir()} if SHARED_MEMORY.exists() else set()
    return {name for name in names if not name.startswith("sem.mp-")}


def in_use(name: str) -> bool:
    """True if some process maps this shared memory."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            if f"{SHARED_MEMORY}/{name}" in maps.read_text():
                return True
    return False


def _without_speeds(data: bytes) -> bytes:
    lines = [msgspec.json.decode(line, type=dict[str, object]) for line in data.splitlines()]
    kept = [{name: value for name, value in line.items() if name not in _SPEEDS} for line in lines]
    return msgspec.json.Encoder().encode_lines(kept)


def words_of(pid: int) -> str:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return "gone"
