"""Leases: who works in a folder that cannot be locked. Each holder has a file there, and renews it while it lives.

First one's own file is put, if there is none of that name, then the others are looked at: of two that come at once both
may be refused, but never both go on.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from labelshards import storage
from labelshards.errors import CatlipError

FOLDER_NAME = "_leases"
RENEW_SECONDS = 30.0
# As long as clocks of two machines differ by less than this, a living holder's lease is never taken for a dead one's.
EXPIRE_SECONDS = 180.0
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
    _take(out, where, token)
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(where, token, stop), daemon=True)
    try:
        for other in storage.list_files(storage.join(out, FOLDER_NAME)):
            rival = other.removesuffix(".json")
            if rival != name and _BUILD in (rival, name):
                _refuse_living(out, _read(_where(out, rival)))
        renewing.start()
        yield
    finally:
        stop.set()
        if renewing.ident is not None:
            renewing.join()
        storage.remove(where)


def _take(out: str, where: str, token: str) -> None:
    if storage.create_bytes(where, _now(token)):
        return
    _refuse_living(out, _read(where))
    storage.write_bytes(where, _now(token))
    found = _read(where)  # two may have found the same dead one
    if found is not None and found.token != token:
        _refuse_living(out, found)


def _refuse_living(out: str, lease: Lease | None) -> None:
    if lease is None or _is_dead(lease):
        return
    left = EXPIRE_SECONDS - (time.time() - lease.at)
    raise CatlipError(
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
    except PermissionError:
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
