"""Commands on a file system that is really full: one clear line; and with room, the same command goes on."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests.attack import small_disk
from tests.attack.aftermath import differences, result
from tests.attack.small_disk import Told
from tests.forked import Forked
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from tests.picture_tars import write_tars
from tests.tiny_run import TINY, go

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TRAINING = [*TINY, "plan.steps=4", "loop.log_every=1", "loop.checkpoint_every=2"]
PLENTY_KIB = 1 << 17


class World(NamedTuple):
    """What commands read: it lies on a disk with room."""

    labels: Path
    run: Path
    tars: Path
    split: Path
    built: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, build_labels: Callable[..., str]) -> World:
    folder = tmp_path_factory.mktemp("world")
    labels = write_label_set(folder, coloured(3, 10))
    go(labels, folder / "run", "plan.steps=4")
    split = folder / "split"
    for name, count in (("train", 60), ("test", 20)):
        for class_id, colour in enumerate(COLOURS[:4]):
            (own := split / name / f"colour{class_id}").mkdir(parents=True)
            for number in range(count):
                (own / f"{number}.jpg").write_bytes(picture(colour, size=(12, 10), seed=number))
    captions = [f"A {thing} and a ball on the sofa." for thing in ("dog", "cat", "bus", "bird")]
    built = build_labels(folder / "built", captions * 6, threshold=1)
    return World(labels, folder / "run", write_tars(folder / "pictures", 3, 20), split, built)


COMMANDS: dict[str, Callable[[World, str], list[str]]] = {
    "train": lambda world, out: ["train", "--labels", str(world.labels), "--out", out,
                                 *(word for setting in TRAINING for word in ("--set", setting))],
    "probe": lambda world, out: ["probe", str(world.run), "--data", str(world.split), "--task", "knn", "--out", out],
    "tag": lambda world, out: ["tag", str(world.run), f"{world.tars}/*.tar", "--out", f"{out}/tags.parquet"],
    "embed": lambda world, out: ["embed", str(world.run), f"{world.tars}/*.tar", "--out", out],
    "export": lambda world, out: ["export", str(world.run), "--out", out],
    "prune": lambda world, out: ["vocab", "prune", world.built, "--out", out, "--threshold", "2"],
    "report": lambda world, out: ["vocab", "inspect", world.built, "--html", f"{out}/report.html"],
}  # fmt: skip


def on_disk(folder: Path, kib: int, words: Sequence[str]) -> Told | int:
    """What tests.attack.small_disk says, or the exit code where it could not even say that."""
    process = Forked(["-m", "tests.attack.small_disk", str(kib), str(folder), *words], ENVIRONMENT)
    said, errors = process.communicate()
    if process.returncode == small_disk.NO_MOUNT:
        pytest.skip("this machine lets nobody mount a tmpfs, so no disk can be filled")
    if process.returncode:
        return process.returncode
    assert not errors, errors
    return msgspec.json.decode(said, type=Told)


# Sizes at which each meets the end of the disk at another place.
@pytest.mark.parametrize(
    ("name", "kib"),
    [
        *(("train", kib) for kib in (4, 200, 500)),
        *(("probe", kib) for kib in (4, 20, 24)),
        *(("tag", kib) for kib in (4, 8)),
        *(("embed", kib) for kib in (4, 8)),
        *(("export", kib) for kib in (4, 80)),
        *(("prune", kib) for kib in (4, 12, 20)),
        ("report", 400),
    ],
)
def test_full_disk__one_line_and_then_the_same_command_goes_on(
    name: str, kib: int, world: World, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path / "disk"
    words = COMMANDS[name](world, f"{out}/{small_disk.KEPT}")
    found = on_disk(out, kib, words)
    assert isinstance(found, Told), f"the process ended with {found}"
    assert found.small == 1
    assert found.said.startswith("Error: ")
    assert found.said.count("\n") == 1
    assert "No space left on device" in found.said
    assert str(out) in found.said
    assert "Make room there" in found.said or "cannot be written" in found.said
    assert not [path for path in found.left if ".partial-" in path]
    assert found.large == 0
    assert "Error" not in found.said_then
    whole = tmp_path_factory.mktemp("whole") / "disk"
    on_disk(whole, PLENTY_KIB, COMMANDS[name](world, f"{whole}/{small_disk.KEPT}"))
    kept = [result(Path(f"{folder}.{small_disk.KEPT}")) for folder in (out, whole)]
    assert not differences(*kept)
