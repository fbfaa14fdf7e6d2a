"""Tars in S3, label set in S3, over the real protocol; killed, refused, and stumbling on the way."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import msgspec
import pytest

from catlip_cli.main import run
from labelgen.folder import lease
from labelshards import parquet, storage
from labelshards.labelset import LabelSet
from tests.end_to_end.builds import content, started, wait_until
from tests.s3_server import BUCKET, Body, Fault, Request, S3Server, serving

NUM_TARS = 12
SOURCES = f"s3://{BUCKET}/tars/{{00..{NUM_TARS - 1}}}.tar"


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def tars(server: S3Server, tmp_path_factory: pytest.TempPathFactory, write_tar: Callable[..., Path]) -> Path:
    """Tars on this machine; the same lie in the bucket."""
    folder = tmp_path_factory.mktemp("tars")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        fs = fsspec.filesystem("s3", skip_instance_cache=True)
        fs.mkdir(BUCKET)
        for number in range(NUM_TARS):
            members = [
                (f"{row}.{suffix}", text.encode())
                for row in range(6)
                for suffix, text in (("jpg", "x"), ("txt", f"A dog and {row} cats on a sofa."))
            ]
            tar = write_tar(folder / f"{number:02d}.tar", members)
            fs.pipe_file(f"{BUCKET}/tars/{tar.name}", tar.read_bytes())
    return folder


@pytest.fixture
def bucket(server: S3Server, tars: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URI of the bucket, for this process too."""
    assert tars.is_dir()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    server.requests.clear()
    yield f"s3://{BUCKET}"
    server.fault = None
    storage.remove(f"s3://{BUCKET}/labels")
    fsspec.filesystem("s3").clear_instance_cache()


@pytest.fixture
def same_here(tars: Path, tmp_path: Path, one_process: None, capsys: pytest.CaptureFixture[str]) -> dict[str, bytes]:
    """Label shards and vocabulary of the same tars on this machine."""
    assert run(["labels", "build", f"{tars}/*.tar", "--out", str(tmp_path / "here"), "--threshold", "2"]) == 0
    capsys.readouterr()
    return content(tmp_path / "here")


def labels_of(out: str) -> list[list[int]]:
    label_set = LabelSet.open(out)
    shards = [label_set.read_shard(index) for index in range(len(label_set.manifest.shards))]
    return [shard.labels(row).tolist() for shard in shards for row in range(len(shard))]


@pytest.mark.parametrize("sources", [SOURCES, f"s3://{BUCKET}/tars/*.tar"])
@pytest.mark.usefixtures("one_process")
def test_build__lists_its_sources_once(
    bucket: str, server: S3Server, sources: str, same_here: dict[str, bytes], tmp_path: Path
) -> None:
    out = f"{bucket}/labels"
    assert run(["labels", "build", sources, "--out", out, "--threshold", "2"]) == 0
    assert labels_of(out) == labels_of(str(tmp_path / "here"))
    assert storage.read_bytes(f"{out}/vocabulary.parquet") == same_here["vocabulary.parquet"]
    listings = [request for request in server.requests if request.is_listing and "prefix=tars%2F&" in request.query]
    assert len(listings) == 1
    planning = server.requests[: server.requests.index(next(filter(is_candidate_put, server.requests)))]
    assert not [each for each in planning if each.method == "HEAD" and "/tars/" in each.path][NUM_TARS:]
    assert storage.list_files(f"{out}/_leases") == []
    assert run(["labels", "verify", out, "--deep"]) == 0
    assert run(["labels", "build", sources, "--out", out, "--threshold", "2"]) == 0


def is_candidate_put(request: Request) -> bool:
    return request.method == "PUT" and "/_candidates/" in request.path and request.path.endswith(".parquet")


@pytest.mark.usefixtures("one_process")
def test_build__goes_on_where_the_store_stumbles(bucket: str, server: S3Server) -> None:
    server.fault = Fault(times=3, status=503, concerns=is_candidate_put)
    assert run(["labels", "build", SOURCES, "--out", f"{bucket}/labels", "--threshold", "2"]) == 0
    assert server.fault.times == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault(999, 403, "AccessDenied", "Access Denied.", is_candidate_put),
            "s3://box/labels/_candidates/00.parquet: Access Denied.",
        ),
        (Fault(999, 403, "InvalidAccessKeyId", "No such key id."), "No such key id."),
    ],
)
@pytest.mark.usefixtures("one_process")
def test_build__clear_end_where_the_store_refuses(
    bucket: str, server: S3Server, capsys: pytest.CaptureFixture[str], fault: Fault, message: str
) -> None:
    server.fault = fault
    assert run(["labels", "build", SOURCES, "--out", f"{bucket}/labels", "--threshold", "2"]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "s3://box/" in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("body", ["stalls", "cut", "longer", "shorter"])
@pytest.mark.usefixtures("one_process")
def test_build__of_a_store_that_lies(
    body: Body,
    bucket: str,
    server: S3Server,
    same_here: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One tar never comes as it is: it fails with one line, and nothing of it is taken; later it is done."""
    monkeypatch.setitem(fsspec.config.conf, "s3", {"config_kwargs": {"read_timeout": 0.7}})
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 2)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    fsspec.filesystem("s3").clear_instance_cache()
    arguments = ["labels", "build", SOURCES, "--out", f"{bucket}/labels", "--threshold", "2"]
    server.fault = Fault(times=999, body=body, concerns=lambda each: each.method == "GET" and "/03.tar" in each.path)
    assert run(arguments) == 3
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Warning: s3://{BUCKET}/tars/03.tar cannot be read: ")
    assert len(LabelSet.open(f"{bucket}/labels").manifest.shards) == NUM_TARS - 1
    server.fault.times = 0 if body == "shorter" else 1
    assert run(arguments) == 0
    assert labels_of(f"{bucket}/labels") == labels_of(str(tmp_path / "here"))


@pytest.mark.usefixtures("one_process")
def test_build__object_that_is_replaced_after_it_was_listed(
    bucket: str, server: S3Server, tars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By another one of the same size."""
    arguments = ["labels", "build", SOURCES, "--out", f"{bucket}/labels", "--threshold", "2"]
    old = (tars / "03.tar").read_bytes()
    asked: list[Request] = []

    def replace(request: Request) -> bool:
        if request.method == "GET" and "/03.tar" in request.path:
            asked.append(request)
        if len(asked) == 2:  # its first bytes have been looked at
            asked.append(request)
            fs = fsspec.filesystem("s3", skip_instance_cache=True)
            fs.pipe_file(f"{BUCKET}/tars/03.tar", old.replace(b"A dog", b"A cat"))
        return False

    server.fault = Fault(times=1, concerns=replace)
    try:
        assert run(arguments) == 3
        assert f"{bucket}/tars/03.tar changed while it was read." in capsys.readouterr().err
        assert run(arguments) == 0
        found = labels_of(f"{bucket}/labels")
    finally:
        storage.write_bytes(f"{bucket}/tars/03.tar", old)
    storage.remove(f"{bucket}/labels")
    assert run(arguments) == 0
    assert found != labels_of(f"{bucket}/labels")


@pytest.mark.usefixtures("one_process", "bucket")
def test_build__bucket_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "build", SOURCES, "--out", "s3://nobody/labels", "--threshold", "2"]) == 1
    assert "s3://nobody/labels/_leases/build.json: The specified bucket does not exist" in capsys.readouterr().err
    assert run(["labels", "build", "s3://nobody/*.tar", "--out", "s3://box/labels"]) == 1
    assert "No file matches 's3://nobody/*.tar'" in capsys.readouterr().err


@pytest.mark.usefixtures("one_process")
def test_build__second_one_is_refused_by_the_lease(
    bucket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = f"{bucket}/labels"
    arguments = ["labels", "build", SOURCES, "--out", out, "--threshold", "2"]
    lease_of_another = lease.Lease(host="elsewhere", pid=1, token="t")
    storage.write_bytes(f"{out}/_leases/build.json", msgspec.json.encode(lease_of_another))
    assert run(arguments) == 1
    assert (
        "(process 1 on elsewhere). Wait for it, or choose another --out. If it was killed, this one may begin in 1"
        in (capsys.readouterr().err)
    )
    for name, code in (("slice-0-of-2", 1), ("slice-1-of-2", 0)):
        storage.remove(f"{out}/_leases/build.json")
        storage.write_bytes(f"{out}/_leases/slice-0-of-2.json", msgspec.json.encode(lease_of_another))
        assert run([*arguments, "--slice", f"{name[6]}/2"]) == code
    storage.write_bytes(f"{out}/_leases/slice-0-of-2.json", msgspec.json.encode(lease_of_another))
    monkeypatch.setattr(lease, "EXPIRE_SECONDS", -1.0)  # the store's clock goes in whole seconds
    assert run(arguments) == 0
    assert storage.list_files(f"{out}/_leases") == ["slice-0-of-2.json"]  # the dead one's


@pytest.mark.slow
@pytest.mark.usefixtures("same_here")
def test_build__killed_and_resumed(bucket: str, server: S3Server, tmp_path: Path) -> None:
    out = f"{bucket}/labels"
    for sign in (signal.SIGKILL, signal.SIGINT):
        server.requests.clear()
        with started(SOURCES, out, "--workers", "2", env=server.environment) as process:
            wait_until(lambda: server.count(is_candidate_put) >= 3)
            process.send_signal(sign)
            process.wait(60)
        for name in storage.list_files(f"{out}/_candidates"):
            data = storage.read_bytes(f"{out}/_candidates/{name}")
            assert data
            if name.endswith(".parquet"):
                parquet.read_table(data)
    assert run(["labels", "build", SOURCES, "--out", out, "--threshold", "2"]) == 0
    assert labels_of(out) == labels_of(str(tmp_path / "here"))
