"""A command on a disk that is too small, and again when there is room: a tmpfs that only this process sees.

    python -m tests.attack.small_disk KIB FOLDER WORD...    `catlip WORD...`, with a disk of KIB at FOLDER

Prints what it found (`Told`), as JSON. What then lies in FOLDER/keep is copied to FOLDER.keep. Its own exit code is 77
where no disk can be mounted.
"""

import contextlib
import ctypes
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from catlip_cli import terminal
from catlip_cli.main import run

KEPT = "keep"
NO_MOUNT = 77
_PLENTY = "256m"
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Exit codes on the small disk and with room, what was said on stderr, and the paths that the first one left."""

    small: int
    said: str
    left: list[str]
    large: int
    said_then: str


def main(kib: str, folder: str, words: list[str]) -> None:
    """See the module."""
    if not _mounted(folder, f"{kib}k"):
        sys.exit(NO_MOUNT)
    small, said = _heard(lambda: run(words))
    left = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
    subprocess.run(["mount", "-o", f"remount,size={_PLENTY}", folder], check=True)
    large, said_then = _heard(lambda: run(words))
    shutil.copytree(f"{folder}/{KEPT}", f"{folder}.{KEPT}")
    told = Told(small=small, said=said, left=left, large=large, said_then=said_then)
    print(msgspec.json.encode(told).decode())


def _mounted(folder: str, size: str) -> bool:
    """Mount it in a namespace of our own; as another user than root in one where we are root."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS | (_CLONE_NEWUSER if user else 0)):
        return False
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path(f"/proc/self/{name}").write_text(text)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for words in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", f"size={size}", "none", folder]):
        if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
            return False
    return True


def _heard(command: Callable[[], int]) -> tuple[int, str]:
    """The exit code, and what was said on stderr."""
    words = io.StringIO()
    before, terminal.stderr.file = terminal.stderr.file, words
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(words):
            return command(), words.getvalue()
    finally:
        terminal.stderr.file = before


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
