"""The commands that are killed, each on data so small that it takes seconds."""

import io
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.end_to_end import builds
from tests.forked import Forked
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from tests.pair import start_pair
from tests.picture_tars import write_tars
from tests.tiny_run import TINY, go

_MODULE = ["-m", "catlip_cli.main"]
# Every step is logged and saved, so that a kill has many chances to meet a file that is being written.
_TRAINING = [*TINY, "plan.steps=30", "loop.checkpoint_every=1", "eval.every=10"]


class Process(Protocol):
    """What subprocess.Popen and tests.forked.Forked have in common. returncode: minus the signal that ended it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""


# start(OUT, environment): the main process first
Start = Callable[[Path, Mapping[str, str]], list[Process]]
_Starter = Callable[[list[str], Mapping[str, str]], list[Process]]


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A command. start: its processes, each in a session of its own. commits: pattern of what it keeps by OUT."""

    command: str
    how: str
    start: Start
    commits: str
    out: str = "out"

    @property
    def name(self) -> str:
        """For people, and for --only."""
        return f"{self.command}, {self.how}"


def victims(folder: Path) -> list[Victim]:
    """All of them, and in `folder` the data that they take."""
    captions = _caption_tars(folder / "captions")
    labels = write_label_set(folder / "coloured", coloured(3, 10))
    heldout = write_label_set(folder / "heldout", coloured(1, 10))
    run = folder / "run"
    go(labels, run)
    tars, split = write_tars(folder / "pictures", 8, 60), _image_folder(folder / "split")

    def build(engine: str, workers: int) -> Victim:
        words = ["--engine", engine, "--workers", str(workers)]
        return Victim(
            command="labels build",
            how=f"{engine}, {workers} worker{'s' * (workers > 1)}",
            start=lambda out, env: _real(builds.command(f"{captions}/*.tar", out, *words), env),
            commits="out/_candidates/*.parquet",
        )

    def train(how: str, starter: _Starter, *settings: str) -> Victim:
        asked = [*_TRAINING, f"eval.labels={heldout}", *settings]
        options = [word for setting in asked for word in ("--set", setting)]
        return Victim(
            command="train",
            how=how,
            start=lambda out, env: starter(["train", "--labels", str(labels), "--out", str(out), *options], env),
            commits="out/checkpoints/*.safetensors",
        )

    def probe(out: Path, env: Mapping[str, str]) -> list[Process]:
        asked = ["--data", str(split), "--task", "knn,fewshot,linear", "--out", str(out)]
        return _alone(["probe", str(run), *asked], env)

    def over_pictures(command: str) -> Start:
        return lambda out, env: _alone([command, str(run), f"{tars}/*.tar", "--out", str(out)], env)

    return [
        *(build(engine, workers) for engine in ("local", "ray") for workers in (1, 2)),
        train("one process", _alone),
        train("two loader processes", _alone, "data.num_workers=2"),
        train("two ranks", _pair),
        Victim(command="probe", how="three tasks", start=probe, commits="out/probes/*.json"),
        Victim(
            command="tag", how="to a file", start=over_pictures("tag"), commits="*.parts/*.parquet", out="out.parquet"
        ),
        Victim(command="embed", how="to a folder", start=over_pictures("embed"), commits="out/*.parquet"),
    ]


def _real(words: list[str], env: Mapping[str, str]) -> list[Process]:
    pipe = subprocess.PIPE
    return [subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=env)]


def _alone(words: list[str], env: Mapping[str, str]) -> list[Process]:
    return [Forked([*_MODULE, *words], env)]


def _pair(words: list[str], env: Mapping[str, str]) -> list[Process]:
    return [*start_pair([*_MODULE, *words], env)]


def _caption_tars(folder: Path) -> Path:
    folder.mkdir(parents=True)
    things, places = ("dog", "cat", "red bus", "polar bear", "woman"), ("sofa", "street", "lawn")
    captions = [
        f"A {thing} and {n + 2} balls on the {place}." for n in range(6) for thing in things for place in places
    ]
    for number in range(6):
        with tarfile.open(folder / f"{number}.tar", "w") as archive:
            for row, caption in enumerate(captions[number::6]):
                for name, data in ((f"{row}.jpg", b"x"), (f"{row}.txt", caption.encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return folder


def _image_folder(folder: Path) -> Path:
    for split, count in (("train", 100), ("test", 40)):
        for class_id, colour in enumerate(COLOURS[:4]):
            own = folder / split / f"colour{class_id}"
            own.mkdir(parents=True)
            for number in range(count):
                (own / f"{number}.jpg").write_bytes(picture(colour, size=(12, 10), seed=number))
    return folder
