import errno
import os
import resource
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelshards import storage


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000))
@pytest.mark.parametrize("base", ["{}/new/folder/file", "file://{}/file", "memory://box/file"])
def test_write_bytes__read_back(tmp_path: Path, base: str, data: bytes) -> None:
    uri = base.format(tmp_path)
    storage.write_bytes(uri, data)
    assert storage.read_bytes(uri) == data
    assert storage.exists(uri)


def test_write_bytes__replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "x"
    storage.write_bytes(str(target), b"old")
    with target.open("rb") as reader:
        storage.write_bytes(str(target), b"new")
        assert reader.read() == b"old"  # another file now bears the name; this one was never touched
    assert target.read_bytes() == b"new"


def test_write_bytes__full_disk_leaves_nothing_and_says_where(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{target}'"):
            storage.write_bytes(str(target), bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ["x"]  # noqa: PTH208
    assert target.read_bytes() == b"old"


def no_links(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("link", [os.link, no_links])
@pytest.mark.parametrize("base", ["{}/deeper/file", "file://{}/file"])
def test_create_bytes__of_many_at_once_one_wins_and_its_data_is_whole(
    tmp_path: Path,
    base: str,
    link: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    several = 8
    monkeypatch.setattr(os, "link", link)
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-6)  # so that threads take turns between any two lines
    begin = threading.Barrier(several)

    def create(uri: str, number: int) -> bool:
        begin.wait()
        return storage.create_bytes(uri, b"%d" % number * 10_000)

    with ThreadPoolExecutor(several) as pool:
        for turn in range(20):
            uri = base.format(tmp_path / str(turn))
            [winner] = [number for number, won in enumerate(pool.map(create, [uri] * several, range(several))) if won]
            assert storage.read_bytes(uri) == b"%d" % winner * 10_000
            assert storage.list_files(uri.rpartition("/")[0]) == ["file"]


def test_whole_file__body_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with storage.whole_file(tmp_path / "x") as temporary:
            temporary.write_bytes(b"half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_whole_file__target_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        storage.write_bytes(str(tmp_path / "x"), b"data")
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_list_files__finished_ones_only(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "b"), b"")
    storage.write_bytes(str(tmp_path / "a"), b"")
    (tmp_path / f"c{storage._TEMPORARY_MARK}1-2").touch()
    (tmp_path / "folder").mkdir()
    assert storage.list_files(str(tmp_path)) == ["a", "b"]
    assert storage.list_files(str(tmp_path / "nothing")) == []
    storage.remove_leftovers(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]


def test_remove__file_folder_or_nothing(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "folder" / "file"), b"")
    storage.remove(str(tmp_path / "folder"))
    storage.remove(str(tmp_path / "folder"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "expected"), [("x/../y", "{}/y"), ("file:///a//b", "/a/b"), ("memory://a/b", "memory://a/b")]
)
def test_absolute__means_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage.absolute(uri) == expected.format(tmp_path)


def test_absolute__keeps_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert storage.absolute(str(tmp_path / "link" / "x")) == f"{tmp_path}/link/x"


def test_is_local__by_scheme(tmp_path: Path) -> None:
    assert storage.is_local(str(tmp_path))
    assert storage.is_local(f"file://{tmp_path}")
    assert not storage.is_local("memory://x")


def test_write_bytes__remote_put_is_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, path: str, value: bytes, mode: str = "overwrite") -> None:
        raise OSError("no room")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(OSError, match="no room"):
        storage.write_bytes("memory://full/x", b"data")
    assert not storage.exists("memory://full/x")
