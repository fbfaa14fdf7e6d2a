"""What one slice does for all of them: held by one, waited for by the others, free again when its holder is dead."""

import datetime
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import fsspec
import msgspec
import pytest

from labelgen.distill import keep, table
from labelgen.folder import lease, locks
from labelshards import storage
from labelshards.errors import CatlipError

TASK = "table"


def hold(out: str, holding: Event) -> None:
    """In another process: take the task, and never give it back."""
    with locks.turn(out, TASK, lambda: None):
        holding.set()
        signal.pause()


@contextmanager
def held_elsewhere(out: str) -> Iterator[multiprocessing.process.BaseProcess]:
    context = multiprocessing.get_context("forkserver")
    holding = context.Event()
    process = context.Process(target=hold, args=(out, holding))
    process.start()
    try:
        assert holding.wait(30)
        yield process
    finally:
        process.kill()
        process.join()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_SECONDS_BETWEEN_TRIES", 0.02)
    monkeypatch.setattr(lease, "SECONDS_BETWEEN_LOOKS", 0.02)


@pytest.mark.slow
def test_turn__of_a_killed_process_is_free(tmp_path: Path) -> None:
    with held_elsewhere(str(tmp_path)) as process:
        waited = 0

        def on_wait() -> None:
            nonlocal waited
            waited += 1
            if waited == 3:
                process.kill()

        with locks.turn(str(tmp_path), TASK, on_wait):
            assert waited >= 3


def test_settle__of_many_at_once_one_teaches(tmp_path: Path) -> None:
    taught: list[int] = []
    waited: list[int] = []
    all_there = threading.Barrier(4)

    def teach() -> bytes:
        taught.append(threading.get_ident())
        while not waited:
            time.sleep(0.01)
        return b"a table"

    def settle() -> None:
        all_there.wait(30)
        # What is taught here is no table; that it is found to be none is the end of it.
        with pytest.raises(CatlipError, match=table.NAME):
            keep.settle(str(tmp_path), "", teach, lambda: locks.turn(str(tmp_path), TASK, lambda: waited.append(1)),
                        rebuild=False)  # fmt: skip

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taught) == 1
    assert waited


def test_turn__without_locks_the_lease_of_a_dead_one_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    out = f"memory://{TASK}"
    where = f"{out}/{lease.FOLDER_NAME}/{TASK}.json"
    other = lease.Lease(host="elsewhere", pid=1, token="t")
    storage.write_bytes(where, msgspec.json.encode(other))
    waited = 0

    def on_wait() -> None:
        nonlocal waited
        waited += 1
        if waited == 3:
            monkeypatch.setattr(lease, "EXPIRE_SECONDS", 0.0)

    with locks.turn(out, TASK, on_wait):
        assert waited == 3
        mine = msgspec.json.decode(storage.read_bytes(where), type=lease.Lease)
        assert mine.token != other.token
    assert not fsspec.filesystem("memory").exists(where)


def test_leased__a_build_is_refused_while_a_slice_teaches() -> None:
    out = "memory://box"
    teaching = lease.Lease(host="elsewhere", pid=1, token="t")
    storage.write_bytes(f"{out}/{lease.FOLDER_NAME}/{TASK}.json", msgspec.json.encode(teaching))
    with locks.held(out, "0-of-2"):
        pass
    with pytest.raises(CatlipError, match=r"process 1 on elsewhere"), locks.held(out):
        pass
    assert storage.list_files(f"{out}/{lease.FOLDER_NAME}") == [f"{TASK}.json"]


@pytest.mark.parametrize("days", [-1, 0, 1])
def test_leased__a_clock_that_jumps_decides_nothing(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is not asked: a lease is as old as the store says."""
    out = f"memory://jump{days}"
    where = f"{out}/{lease.FOLDER_NAME}/build.json"
    storage.write_bytes(where, msgspec.json.encode(lease.Lease(host="elsewhere", pid=1, token="t")))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + days * 86_400)
    with pytest.raises(CatlipError, match=r"If it was killed, this one may begin in 180 s\."), locks.held(out):
        pass
    found = fsspec.filesystem("memory").store[storage.filesystem(where)[1]]
    found.modified -= datetime.timedelta(seconds=lease.EXPIRE_SECONDS + 1)
    with locks.held(out):
        assert msgspec.json.decode(storage.read_bytes(where), type=lease.Lease).token != "t"
    assert storage.list_files(f"{out}/{lease.FOLDER_NAME}") == []


def test_leased__one_that_slept_too_long_says_so_and_takes_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = "memory://slept"
    where = f"{out}/{lease.FOLDER_NAME}/build.json"
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    another = msgspec.json.encode(lease.Lease(host="elsewhere", pid=1, token="t"))

    def sleep() -> None:
        with locks.held(out):
            storage.write_bytes(where, another)
            time.sleep(0.1)

    with pytest.raises(CatlipError, match=r"^Process 1 on elsewhere took over, "):
        sleep()
    assert storage.read_bytes(where) == another
