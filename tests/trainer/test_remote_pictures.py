"""Pictures in a real S3 store that stalls, cuts, and lies about size: an error in bounded time, never wrong bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile, ImageReader, ImageRef
from tests.s3_server import BUCKET, Body, Fault, Request, S3Server, serving
from trainer.stream import shardcache
from trainer.stream.shardcache import ShardCache

URI = f"s3://{BUCKET}/0.tar"
# Of a tar: the picture begins behind the header of its member.
HEADER_BYTES = 512


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serving() as server:
        yield server


@pytest.fixture
def tar(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write_tar: Callable[..., Path]
) -> Iterator[bytes]:
    """A tar of one picture, which lies at URI."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 0.7}})
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 2)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    fsspec.filesystem("s3").clear_instance_cache()
    if not storage.exists(f"s3://{BUCKET}"):
        storage.filesystem("s3://x")[0].mkdir(BUCKET)
    data = write_tar(tmp_path / "0.tar", [("a.jpg", bytes(range(256)) * 64)]).read_bytes()
    storage.write_bytes(URI, data)
    yield data
    server.fault = None
    fsspec.filesystem("s3").clear_instance_cache()


def is_get(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("0.tar")


BODIES: list[Body] = ["stalls", "cut", "longer", "shorter"]


@pytest.mark.parametrize("body", BODIES)
def test_local__of_a_store_that_lies(
    body: Body, server: S3Server, tar: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shardcache, "_BLOCK_BYTES", 4096)
    cache = ShardCache(tmp_path / "cache", 1 << 20)
    server.fault = Fault(times=99, body=body, concerns=is_get)
    with pytest.raises((OSError, LabelSetError), match=rf"{URI}( gave 2,048 of 4,096 bytes at 0\.|')"):
        cache.local(URI, len(tar))
    assert not list((tmp_path / "cache").glob("*.shard*"))
    server.fault.times = 0 if body == "shorter" else 1  # of which there is no knowing, but for the bytes that came
    assert cache.local(URI, len(tar)).read_bytes() == tar


@pytest.mark.parametrize("body", BODIES)
def test_read__of_a_store_that_lies(body: Body, server: S3Server, tar: bytes) -> None:
    reader, file = ImageReader(), ImageFile(uri=URI, bytes=len(tar))
    server.fault = Fault(times=99, body=body, concerns=is_get)
    with pytest.raises(LabelSetError, match=rf"{URI} (cannot be read: |ends before the image of 'a'\.)"):
        reader.read(file, ImageRef(0, HEADER_BYTES, 256 * 64), "a")
    server.fault.times = 0 if body == "shorter" else 1
    assert reader.read(file, ImageRef(0, HEADER_BYTES, 256 * 64), "a") == bytes(range(256)) * 64
