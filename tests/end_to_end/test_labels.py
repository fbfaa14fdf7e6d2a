"""`catlip labels build` as a person runs it, on real captions, and what its numbers must be."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labelshards.images import ImageReader
from labelshards.labelset import LabelSet

pytestmark = pytest.mark.slow


def build(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "catlip_cli.main", "labels", "build", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_build__flickr8k(test_data: Path, tmp_path: Path) -> None:
    tar = test_data / "flickr8k" / "val" / "00000.tar"
    found = build(tar, "--out", tmp_path / "labels", "--threshold", "10", "--keep-captions")
    assert (found["samples"], found["images"], found["captions"]) == (1000, 1000, 5000)
    assert found["labelled"] > 980
    assert found["problems"] == {}
    label_set = LabelSet.open(str(tmp_path / "labels"))
    shard = label_set.read_shard(0)
    assert shard.captions is not None
    assert {len(captions) for captions in shard.captions.to_pylist()} == {5}
    # Support is counted once a sample, and no class was lost or made on the way.
    counts = Counter(shard.values.tolist())
    assert [counts[number] for number in range(len(label_set.vocabulary))] == label_set.vocabulary.support.tolist()
    assert min(label_set.vocabulary.support) == 11
    assert {"dog.n.01", "man.n.01", "body_of_water.n.01"} <= set(label_set.vocabulary.synsets[:12])
    reader = ImageReader()
    for row in range(0, 1000, 50):
        place = shard.image(row)
        assert place is not None
        assert reader.read(*place, shard.keys[row].as_py()).startswith(b"\xff\xd8\xff")
    reader.close()
    again = build(tar, "--out", tmp_path / "labels", "--threshold", "25", "--keep-captions")
    assert (again["shards_extracted"], again["worker_seconds"]["parse"]) == (0, 0)
    assert again["classes"] < found["classes"]


def test_build__cc3m(test_data: Path, tmp_path: Path) -> None:
    lines = (test_data / "cc3m-val.tsv").read_bytes().split(b"\n")[:1500]
    (tmp_path / "cc3m.tsv").write_bytes(b"caption\turl\r\n" + b"\r\n".join(lines) + b"\r\n")
    found = build(tmp_path / "cc3m.tsv", "--out", tmp_path / "labels", "--threshold", "5")
    assert (found["samples"], found["captions"], found["images"]) == (1500, 1500, 0)
    assert found["labelled"] > 1000
    assert found["classes"] > 80
