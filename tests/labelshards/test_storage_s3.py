"""Storage on a real S3 protocol: one put an object, patience where a store stumbles, a clear end where it refuses."""

from collections.abc import Iterator

import fsspec
import pytest

from labelshards import storage
from labelshards.errors import CatlipError
from tests.s3_server import BUCKET, Fault, Request, S3Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serving() as server:
        yield server


@pytest.fixture
def box(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URI of a bucket."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    fs = fsspec.filesystem("s3")
    fs.clear_instance_cache()
    if not storage.exists(f"s3://{BUCKET}"):
        storage.filesystem("s3://x")[0].mkdir(BUCKET)
    server.requests.clear()
    yield f"s3://{BUCKET}"
    server.fault = None
    fs.clear_instance_cache()


def is_put(request: Request) -> bool:
    return request.method == "PUT"


def test_write_bytes__one_put(box: str, server: S3Server) -> None:
    storage.write_bytes(f"{box}/folder/x", b"data")
    assert [(request.method, request.path) for request in server.requests] == [("PUT", f"/{BUCKET}/folder/x")]
    assert storage.read_bytes(f"{box}/folder/x") == b"data"
    assert storage.list_files(f"{box}/folder") == ["x"]
    storage.write_bytes(f"{box}/folder/y", b"")
    assert storage.list_files(f"{box}/folder") == ["x", "y"]
    storage.remove(f"{box}/folder")
    assert storage.list_files(f"{box}/folder") == []


def test_create_bytes__first_one_wins(box: str) -> None:
    assert storage.create_bytes(f"{box}/lease", b"a")
    assert not storage.create_bytes(f"{box}/lease", b"b")
    assert storage.read_bytes(f"{box}/lease") == b"a"


@pytest.mark.parametrize("status", [503, 500, 0])
def test_transient_errors__are_tried_again(box: str, server: S3Server, status: int) -> None:
    server.fault = Fault(times=2, status=status, code="SlowDown" if status == 503 else "InternalError")
    storage.write_bytes(f"{box}/x", b"data")
    assert server.count(is_put) == 3
    server.fault = Fault(times=2, status=status)
    assert storage.read_bytes(f"{box}/x") == b"data"


def test_attempts__end_where_the_user_says(box: str, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    server.fault = Fault(times=100, status=503)
    with pytest.raises(OSError, match=rf"Please reduce your request rate\.: '{box}/x'"):
        storage.write_bytes(f"{box}/x", b"data")


@pytest.mark.parametrize(
    ("uri", "fault", "message"),
    [
        ("s3://nobody/x", None, r"\[Errno 2\] The specified bucket does not exist: 's3://nobody/x'"),
        ("s3://box/x", Fault(9, 403, "AccessDenied", "Access Denied."), r"\[Errno 13\] .*: 's3://box/x'"),
        ("s3://box/x", Fault(9, 403, "InvalidAccessKeyId", "No such key id."), r"\[Errno 13\] .*: 's3://box/x'"),
    ],
)
def test_permanent_errors__end_at_once(box: str, server: S3Server, uri: str, fault: Fault | None, message: str) -> None:
    server.fault = fault
    with pytest.raises(OSError, match=f"^{message}$"):
        storage.write_bytes(uri, b"data")
    assert server.count(is_put) == 1


def test_credentials__missing_ones_are_an_oserror_that_says_where(box: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(OSError, match=rf"Unable to locate credentials: '{box}/x'"):
        storage.read_bytes(f"{box}/x")


def test_filesystem__missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(uri: str, **_options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", fail)
    with pytest.raises(CatlipError, match=r"s3://x/y needs a package: Install s3fs .* pip install 'catlip\[s3\]'"):
        storage.filesystem("s3://x/y")
