"""Leases: who works in a folder that cannot be locked. Each holder has a file there, and renews it while it lives.

First one's own file is put, if there is none of that name, then the others are looked at: of two that come at once both
may be refused, but never both go on. How old a lease is, the store's clock says alone: those of machines jump.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from labelshards import storage
from labelshards.errors import CatlipError

FOLDER_NAME = "_leases"
RENEW_SECONDS = 30.0
EXPIRE_SECONDS = 180.0
SECONDS_BETWEEN_LOOKS = 5.0
_BUILD = "build"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it."""

    host: str
    pid: int
    token: str


class _Holder(NamedTuple):
    """Who has a lease and lives, and for how long it is his if he does not renew it."""

    lease: Lease
    seconds_left: float


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
            if rival != name and _BUILD in (rival, name) and (holder := _living(_where(out, rival))):
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
    """Keep a lease alive that was taken, and give it back. Raises CatlipError if somebody took it meanwhile."""
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(where, token, stop), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        stop.set()
        renewing.join()
        holder = _read(where)
        if holder is None or holder.token == token:
            storage.remove(where)
    if holder is not None and holder.token != token:
        raise CatlipError(
            f"Process {holder.pid} on {holder.host} took over, as this one did not answer for {EXPIRE_SECONDS:.0f} s. "
            "Both have written. When it has ended, run this command again."
        )


def _take(where: str, token: str) -> _Holder | None:
    """Take a lease, or say who has it and lives."""
    if storage.create_bytes(where, _mine(token)):
        return None
    if holder := _living(where):
        return holder
    storage.write_bytes(where, _mine(token))
    found = _read(where)  # two may have found the same dead one
    return _living(where) if found is not None and found.token != token else None


def _living(where: str) -> _Holder | None:
    lease = _read(where)
    if lease is None or _has_ended(lease):
        return None
    try:
        left = EXPIRE_SECONDS - _age_seconds(where)
    except FileNotFoundError:  # given back just now
        return None
    return _Holder(lease, left) if left >= 0 else None


def _refusal(out: str, holder: _Holder) -> CatlipError:
    lease, left = holder
    return CatlipError(
        f"Another build is writing to {out} (process {lease.pid} on {lease.host}). Wait for it, or choose another "
        f"--out. If it was killed, this one may begin in {max(1, round(left))} s."
    )


def _has_ended(lease: Lease) -> bool:
    """True if its holder was a process of this machine, and is no more."""
    if lease.host != socket.gethostname():
        return False
    if lease.pid == os.getpid():  # a container that was started again
        return True
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _age_seconds(where: str) -> float:
    """Since a lease was renewed: how much later the store says that a file was written which is written now."""
    mark = f"{where}.{secrets.token_hex(8)}.now"
    storage.write_bytes(mark, b"")
    try:
        return (storage.modified(mark) - storage.modified(where)).total_seconds()
    finally:
        storage.remove(mark)


def _renew(where: str, token: str, stop: threading.Event) -> None:
    while not stop.wait(RENEW_SECONDS):
        try:
            holder = _read(where)
            if holder is not None and holder.token != token:
                return  # it is another's now
            storage.write_bytes(where, _mine(token))
        except OSError:
            continue  # whoever writes labels meets the same trouble, and says so


def _mine(token: str) -> bytes:
    return msgspec.json.encode(Lease(host=socket.gethostname(), pid=os.getpid(), token=token))


def _read(where: str) -> Lease | None:
    try:
        return msgspec.json.decode(storage.read_bytes(where), type=Lease)
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def _where(out: str, name: str) -> str:
    return storage.join(out, FOLDER_NAME, f"{name}.json")
