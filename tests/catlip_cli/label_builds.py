"""`catlip labels build` as tests call it, and captions for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from catlip_cli.main import run
from labelshards.labelset import LabelSet

CAPTIONS = [
    "A black dog runs on the grass.",
    "Two dogs and a cat play with a ball.",
    "A man sits on a couch in the street.",
    "A woman on a sofa next to a red bus.",
    "A polar bear eats ice cream.",
    "He runs very quickly.",
]


class Labels:
    """`catlip labels build` into one folder, and what it said."""

    def __init__(self, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.out = out
        self._capsys = capsys
        self.stdout = self.stderr = ""

    def __call__(self, *arguments: object) -> int:
        """Run it; returns the exit code."""
        code = run(["labels", "build", *map(str, arguments), "--out", str(self.out)])
        self.stdout, self.stderr = self._capsys.readouterr()
        assert "Traceback" not in self.stderr
        assert "\x1b" not in self.stdout + self.stderr
        return code

    def json(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run it with --json; returns the object, which is all that stands on stdout."""
        assert self(*arguments, "--json") == code, self.stderr
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    def rows(self) -> dict[str, list[str]]:
        """Key → synsets of its labels, of all samples."""
        label_set = LabelSet.open(str(self.out))
        found = {}
        for index in range(len(label_set.manifest.shards)):
            shard = label_set.read_shard(index)
            shard.check(len(label_set.vocabulary), "x")
            for row, key in enumerate(shard.keys.to_pylist()):
                found[key] = sorted(label_set.vocabulary.synsets[label] for label in shard.labels(row))
        return found

    def content(self) -> dict[str, bytes]:
        """Bytes of every file that is part of the label set."""
        return content_of(self.out)


def content_of(out: Path) -> dict[str, bytes]:
    """Bytes of every file of a label set, by name; not of what it was made from."""
    files = [path for path in out.rglob("*") if path.is_file()]
    names = {str(path.relative_to(out)): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(("_candidates", ".build"))}
