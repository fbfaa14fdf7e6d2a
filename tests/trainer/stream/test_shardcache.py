import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile
from tests.trainer.stream.test_loader import make_reader, read
from trainer.config import load
from trainer.distributed import World
from trainer.stream import shardcache
from trainer.stream.data import Data
from trainer.stream.prefetch import Prefetch
from trainer.stream.reader import StepReader
from trainer.stream.shardcache import ShardCache

MEMORY = "memory://shards"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the remote files that are fetched, in order."""
    names: list[str] = []
    filesystem = storage.filesystem

    def noting(uri: str) -> tuple[Any, str]:
        fs, path = filesystem(uri)
        if "://" in uri:
            names.append(path.rsplit("/", 1)[-1])
        return fs, path

    monkeypatch.setattr("trainer.stream.shardcache.storage.filesystem", noting)
    monkeypatch.setattr(storage, "is_local", lambda uri: "://" not in uri)
    yield names
    fsspec.filesystem("memory").store.clear()


def put(name: str, size: int = 1_000) -> str:
    storage.write_bytes(f"{MEMORY}/{name}", name.encode() * size)
    return f"{MEMORY}/{name}"


def kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.shard"))


def test_local__is_fetched_once(tmp_path: Path, fetched: list[str]) -> None:
    uri = put("a")
    fetched.clear()
    first = ShardCache(tmp_path, 10_000).local(uri, 1_000)
    assert ShardCache(tmp_path, 10_000).local(uri, 1_000) == first
    assert first.read_bytes() == b"a" * 1_000
    assert fetched == ["a"]


def test_local__many_at_once_fetch_once(tmp_path: Path, fetched: list[str]) -> None:
    uri = put("a")
    fetched.clear()
    threads = [threading.Thread(target=ShardCache(tmp_path, 10_000).local, args=(uri, 1_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == ["a"]


def test_local__the_least_recently_used_leaves(tmp_path: Path, fetched: list[str]) -> None:
    cache = ShardCache(tmp_path, 2_500)
    uris = [put(name) for name in "abc"]
    first, second = (cache.local(uri, 1_000) for uri in uris[:2])
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    descriptor = os.open(second, os.O_RDONLY)
    cache.local(uris[0], 1_000)  # used again
    cache.local(uris[2], 1_000)
    assert first.exists()
    assert not second.exists()
    assert os.pread(descriptor, 3, 0) == b"bbb"  # who has it open keeps it
    os.close(descriptor)
    assert kept(tmp_path) == 2_000


def test_local__one_that_is_too_large_is_alone(tmp_path: Path, fetched: list[str]) -> None:
    cache = ShardCache(tmp_path, 500)
    cache.local(put("a"), 1_000)
    assert cache.local(put("b"), 1_000).exists()
    assert kept(tmp_path) == 1_000


def test_local__another_size_is_an_error_and_is_not_kept(tmp_path: Path, fetched: list[str]) -> None:
    uri = put("a")
    with pytest.raises(LabelSetError, match="has 1,000 bytes, and had 7 when"):
        ShardCache(tmp_path, 10_000).local(uri, 7)
    assert not list(tmp_path.glob("*.shard"))


def test_local__what_is_gone_is_named(tmp_path: Path, fetched: list[str]) -> None:
    with pytest.raises(FileNotFoundError):
        ShardCache(tmp_path, 10_000).local(f"{MEMORY}/nowhere", 7)


@pytest.fixture
def remote(labels: Path, fetched: list[str]) -> dict[str, str]:
    """The label set's tars, moved to a store; what `moved` says of it."""
    for path in (labels.parent / "tars").iterdir():
        storage.write_bytes(f"{MEMORY}/{path.name}", path.read_bytes())
    fetched.clear()
    return {str(labels.parent / "tars"): MEMORY}


def test_batches__remote_tars_give_the_same_batches(
    labels: Path, tmp_path: Path, remote: dict[str, str], fetched: list[str]
) -> None:
    reader = make_reader(labels, moved=remote, cache=ShardCache(tmp_path, 1 << 20))
    for here, there in zip(read(make_reader(labels), range(6)), read(reader, range(6)), strict=True):
        assert torch.equal(here.images_BCHW, there.images_BCHW)
    assert sorted(fetched) == ["00000.tar", "00001.tar", "00002.tar"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_prefetch__goes_ahead_as_far_as_half_of_the_cache_holds(
    labels: Path, tmp_path: Path, remote: dict[str, str], fetched: list[str]
) -> None:
    size = (labels.parent / "tars" / "00000.tar").stat().st_size
    # Windows of two shards, and a cache that holds twice two of them: the third must wait for the second window.
    reader = make_reader(labels, moved=remote, cache=ShardCache(tmp_path, 5 * size))
    prefetch = Prefetch(reader, range(6))
    wait_for(lambda: len(fetched) == 2)
    time.sleep(0.1)
    assert len(fetched) == 2
    prefetch.reached(3)
    wait_for(lambda: len(fetched) == 3)
    prefetch.stop()


def test_prefetch__plans_only_so_far(labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.stream.prefetch._MAX_STEPS", 5)
    planned: list[int] = []

    def files(_: StepReader, step: int) -> list[ImageFile]:
        planned.append(step)
        return []

    monkeypatch.setattr(StepReader, "files", files)
    prefetch = Prefetch(make_reader(labels, cache=ShardCache(tmp_path, 1)), range(1_000))
    wait_for(lambda: len(planned) == 6)
    time.sleep(0.05)
    assert planned == list(range(6))
    prefetch.stop()


def test_data__a_cache_is_for_remote_images(labels: Path, tmp_path: Path, remote: dict[str, str]) -> None:
    config = load(None, [f"data.cache={tmp_path}/cache", "plan.batch_size=4"])
    world = World(device=torch.device("cpu"))
    assert Data.open(config, [str(labels)], world, None).reader.samples.cache is None
    reader = Data.open(config, [str(labels)], world, remote).reader
    assert reader.samples.cache is not None
    assert reader.samples.cache.max_bytes == 50 * 2**30


def test_prefetch__leaves_errors_to_the_reader(labels: Path, tmp_path: Path, remote: dict[str, str]) -> None:
    fsspec.filesystem("memory").store.clear()
    reader = make_reader(labels, moved=remote, cache=ShardCache(tmp_path, 1 << 20))
    with pytest.raises(LabelSetError, match=r"memory://shards/0000\d.tar is gone"):
        read(reader, range(3))


def test_local__what_a_killed_process_fetched_half_is_deleted(tmp_path: Path, fetched: list[str]) -> None:
    cache = ShardCache(tmp_path, 10_000)
    ours, other, living = (cache.local(put(name), 1_000) for name in "abc")
    halves = [path.rename(f"{path}.partial-1-abcd") for path in (ours, other, living)]
    with living.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody fetches it now
        cache.local(put("a"), 1_000)
    assert [path.exists() for path in halves] == [False, False, True]


def test_local__what_others_fetch_now_has_its_room(
    tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ShardCache(tmp_path, 2_000)
    whole, half = (cache.local(put(name), 1_000) for name in "ab")
    half.rename(f"{half}.partial-1-abcd")
    seen = []

    def watched(uri: str, to: Path, num_bytes: int) -> None:
        seen.append(sum(path.stat().st_size for path in tmp_path.glob("*.shard*")))
        fetch(uri, to, num_bytes)

    fetch = shardcache._fetch
    monkeypatch.setattr(shardcache, "_fetch", watched)
    with half.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody fetches it now
        cache.local(put("c"), 1_000)
    assert not whole.exists()
    assert seen == [2_000]  # before the first byte has come


def test_local__a_clock_that_is_set_back_does_not_turn_the_cache_round(tmp_path: Path, fetched: list[str]) -> None:
    cache = ShardCache(tmp_path, 3_000)
    yesterday = [cache.local(put(name), 1_000) for name in "abc"]
    for path in yesterday:  # so the clock said, until it was set back by a day
        os.utime(path, (time.time() + 86_400,) * 2)
    today = [cache.local(put(name), 1_000) for name in "def"]
    assert [path.exists() for path in (*yesterday, *today)] == [False] * 3 + [True] * 3


def test_local__one_that_changes_while_it_is_fetched_is_an_error(
    tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file of the same size: its first part would be of the one, its last part of the other."""
    uri = put("a")
    store = fsspec.filesystem("memory")
    cat_ranges = type(store).cat_ranges

    def replaced(self: Any, *arguments: Any, **options: Any) -> list[bytes]:  # noqa: ANN401
        found: list[bytes] = cat_ranges(self, *arguments, **options)
        storage.write_bytes(uri, b"b" * 1_000)
        return found

    monkeypatch.setattr(type(store), "cat_ranges", replaced)
    with pytest.raises(LabelSetError, match=r"memory://shards/a changed while it was fetched\. Run the same command"):
        ShardCache(tmp_path, 10_000).local(uri, 1_000)
    assert not list(tmp_path.glob("*.shard*"))
