"""Leases: who works in a folder that cannot be locked. Each holder has a file there, and renews it while it lives.

First one's own file is put, if there is none of that name, then the others are looked at: of two that come at once both
may be refused, but never both go on.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from labelshards import storage
from labelshards.errors import CatlipError

FOLDER_NAME = "_leases"
RENEW_SECONDS = 30.0
# As long as clocks of two machines differ by less than this, a living holder's lease is never taken for a dead one's.
EXPIRE_SECONDS = 180.0
SECONDS_BETWEEN_LOOKS = 5.0
_BUILD = "build"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it, and when it was last renewed (seconds since 1970, the holder's clock)."""

    host: str
    pid: int
    token: str
    at: float


@contextmanager
def leased(out: str, slice_name: str | None) -> Iterator[None]:
    """Hold `out` for a build, or for one slice of an array. Raises CatlipError if somebody else has it."""
    name = _BUILD if slice_name is None else f"slice-{slice_name}"
    where = _where(out, name)
    token = secrets.token_hex(8)
    if holder := _take(where, token):
        raise _refusal(out, holder)
    with _renewed(where, token):
        for other in storage.list_files(storage.join(out, FOLDER_NAME)):
            rival = other.removesuffix(".json")
            if rival != name and _BUILD in (rival, name) and (holder := _living(_read(_where(out, rival)))):
                raise _refusal(out, holder)
        yield


@contextmanager
def awaited(out: str, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold `name` in `out`, as soon as nobody alive has it; `on_wait` is called before each look but the first."""
    where, token = _where(out, name), secrets.token_hex(8)
    while _take(where, token):
        on_wait()
        time.sleep(SECONDS_BETWEEN_LOOKS)
    with _renewed(where, token):
        yield


@contextmanager
def _renewed(where: str, token: str) -> Iterator[None]:
    """Keep a lease alive that was taken, and give it back."""
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(where, token, stop), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        renewing.join()  # or it may put the lease there once more
        storage.remove(where)


def _take(where: str, token: str) -> Lease | None:
    """Take a lease, or say who has it and lives."""
    if storage.create_bytes(where, _now(token)):
        return None
    if holder := _living(_read(where)):
        return holder
    storage.write_bytes(where, _now(token))
    found = _read(where)  # two may have found the same dead one
    return _living(found) if found is not None and found.token != token else None


def _living(lease: Lease | None) -> Lease | None:
    return None if lease is None or _is_dead(lease) else lease


def _refusal(out: str, lease: Lease) -> CatlipError:
    left = EXPIRE_SECONDS - (time.time() - lease.at)
    return CatlipError(
        f"Another build is writing to {out} (process {lease.pid} on {lease.host}). Wait for it, or choose another "
        f"--out. If it was killed, this one may begin in {max(1, round(left))} s."
    )


def _is_dead(lease: Lease) -> bool:
    if time.time() - lease.at > EXPIRE_SECONDS:
        return True
    if lease.host != socket.gethostname():
        return False
    if lease.pid == os.getpid():  # a container that was started again
        return True
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        return False
    return False


def _renew(where: str, token: str, stop: threading.Event) -> None:
    while not stop.wait(RENEW_SECONDS):
        try:
            storage.write_bytes(where, _now(token))
        except OSError:
            continue  # whoever writes labels meets the same trouble, and says so


def _now(token: str) -> bytes:
    return msgspec.json.encode(Lease(host=socket.gethostname(), pid=os.getpid(), token=token, at=time.time()))


def _read(where: str) -> Lease | None:
    try:
        return msgspec.json.decode(storage.read_bytes(where), type=Lease)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _where(out: str, name: str) -> str:
    return storage.join(out, FOLDER_NAME, f"{name}.json")
