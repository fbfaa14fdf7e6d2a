"""The label sets of the study: from Flickr8k's captions, each built once, by the public commands."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study.arms import MAIN_LABELS, Arm
from benchmarks.study.place import Study

HELDOUT = "heldout"
_THRESHOLD = 10
# Beyond the main one: what `catlip labels build` is told, and the share of the pictures that it gets, in percent.
_BUILDS: dict[str, tuple[Sequence[str], int]] = {
    MAIN_LABELS: (["--threshold", str(_THRESHOLD)], 100),
    "threshold-3": (["--threshold", "3"], 100),
    "corenet": (["--threshold", str(_THRESHOLD), "--labeler", "corenet"], 100),
    "pos-nouns": (["--threshold", str(_THRESHOLD), "--labeler", "pos-nouns"], 100),
    "families": (["--threshold", str(_THRESHOLD), "--families", "attributes,compounds,hypernyms"], 100),
    "part-10": ([], 10),
    "part-30": ([], 30),
}
_PRUNED = {"threshold-30": 30, "threshold-100": 100}


def prepare(study: Study, arms: Sequence[Arm]) -> None:
    """Build what these arms want and is not there yet. Raises SystemExit for label sets that --labels cannot give."""
    wanted = list(dict.fromkeys([MAIN_LABELS, *(arm.labels for arm in arms)]))
    if study.labels is not None:
        if others := [name for name in wanted if name != MAIN_LABELS]:
            raise SystemExit(
                f"Label sets {', '.join(others)} are built from Flickr8k; leave out --labels for their arms."
            )
        return
    for name in wanted:
        if not (study.label_set(name) / "labelset.json").is_file():
            print(f"Building label set {name}", flush=True)
            _build(study, name)
    if not (study.label_set(HELDOUT) / "labelset.json").is_file():
        tars = study.data / "flickr8k" / "test"
        main, out = study.label_set(MAIN_LABELS), study.label_set(HELDOUT)
        words = ["--vocabulary", str(main), "--keep-captions", "--out", str(out)]
        study.catlip("labels", "build", tars / "*.tar", *words, log="labels")


def folder(study: Study, name: str) -> Path:
    """Of a label set that `prepare` has seen to."""
    given = study.heldout if name == HELDOUT else study.labels
    return given if given is not None else study.label_set(name)


def _build(study: Study, name: str) -> None:
    out = study.label_set(name)
    if name in _PRUNED:
        main = study.label_set(MAIN_LABELS)
        study.catlip("vocab", "prune", main, "--threshold", str(_PRUNED[name]), "--out", out, log="labels")
        return
    options, percent = _BUILDS[name]
    tars = study.data / "flickr8k" / "train"
    if percent < 100:
        tars = _part(tars, study.out / "pictures" / name, percent)
        options = ["--vocabulary", str(study.label_set(MAIN_LABELS))]
    study.catlip("labels", "build", tars / "*.tar", *options, "--keep-captions", "--out", out, log="labels")


def _part(tars: Path, folder: Path, percent: int) -> Path:
    """Copies of tars with so many of every hundred samples, evenly; 10 of them are among 30."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(tars.glob("*.tar")):
        with tarfile.open(path) as source, tarfile.open(folder / path.name, "w") as target:
            keys: dict[str, int] = {}
            for member in source:
                number = keys.setdefault(member.name.partition(".")[0], len(keys))
                if number * percent % 100 < percent:
                    target.addfile(member, source.extractfile(member))
    return folder
