import json
import os
import re
import resource
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catlip_cli.main import run
from labelgen import candidates
from labelgen.arrays import native
from labelgen.labelers import NounChunks
from labelgen.sources import text
from labelshards.errors import LabelSetError
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet
from tests.catlip_cli.label_builds import CAPTIONS, Labels

WriteTar = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("one_process")


def test_build__labels_of_each_sample(labels: Labels, tars: Path) -> None:
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert labels.rows() == {
        "000000000": ["dog.n.01", "grass.n.01"],
        "000000001": ["ball.n.01", "cat.n.01", "dog.n.01"],
        "000000002": ["man.n.01", "sofa.n.01", "street.n.01"],
        "000000003": ["bus.n.01", "sofa.n.01", "woman.n.01"],
        "000000004": ["ice_bear.n.01", "ice_cream.n.01"],
        "000000005": [],
    }
    # A slow machine tells how far it is.
    assert [line for line in labels.stderr.splitlines() if not line.startswith("Parsing captions: ")] == []
    assert "samples   6 in 2 shards, 6 captions" in labels.stdout
    assert "labelled  5 (83.3 %)" in labels.stdout
    assert "problem   no noun" in labels.stdout
    assert labels.stdout.endswith(f"Next: catlip vocab inspect {labels.out}\n")


def test_build__images_are_found_in_the_tars(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    reader = ImageReader()
    label_set = LabelSet.open(str(labels.out))
    for index in range(2):
        shard = label_set.read_shard(index)
        for row, key in enumerate(shard.keys.to_pylist()):
            place = shard.image(row)
            assert place is not None
            assert reader.read(*place, key) == b"\xff\xd8 %d" % int(key)
    reader.close()


def test_build__threshold_keeps_what_occurs_more_often(labels: Labels, tars: Path) -> None:
    found = labels.json(tars / "*.tar", "--threshold", 1)
    assert found["classes"] == 2
    label_set = LabelSet.open(str(labels.out))
    assert label_set.vocabulary.synsets == ["dog.n.01", "sofa.n.01"]
    assert label_set.vocabulary.support.tolist() == [2, 2]
    assert label_set.rows_per_shard().tolist() == [3, 3]


def test_build__several_captions_are_one_sample(labels: Labels, tmp_path: Path, write_tar: WriteTar) -> None:
    captions = json.dumps({"captions": ["a dog", "two dogs", "a dog and a cat"]}).encode()
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", b"x"), ("a.json", captions), ("b.jpg", b"x"), ("b.txt", b"dogs")])
    found = labels.json(tar, "--threshold", 0)
    assert (found["samples"], found["captions"], found["labels"]) == (2, 4, 3)
    label_set = LabelSet.open(str(labels.out))
    support = dict(zip(label_set.vocabulary.synsets, label_set.vocabulary.support.tolist(), strict=True))
    assert support == {"dog.n.01": 2, "cat.n.01": 1}
    terms = label_set.examples().to_pylist()
    assert [(row["term"], row["count"]) for row in terms] == [("dog", 2), ("cat", 1)]


def test_build__chosen_caption_keys(labels: Labels, tmp_path: Path, write_tar: WriteTar) -> None:
    record = json.dumps({"alt": "a horse", "title": ["a boat"], "captions": ["a dog"]}).encode()
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", b"x"), ("a.json", record)])
    assert labels(tar, "--threshold", 0, "--caption-key", "alt,title") == 0
    assert labels.rows() == {"a": ["boat.n.01", "horse.n.01"]}


def test_build__vocabulary_of_another_label_set(labels: Labels, tars: Path, tmp_path: Path) -> None:
    other = Labels(tmp_path / "other", labels._capsys)
    labels(tars / "00000.tar", "--threshold", 0)
    assert other(tars / "00001.tar", "--vocabulary", labels.out) == 0
    assert other.rows() == {"000000003": ["sofa.n.01"], "000000004": [], "000000005": []}
    assert f"(those of {labels.out})" in other.stdout
    assert LabelSet.open(str(other.out)).vocabulary.digest == LabelSet.open(str(labels.out)).vocabulary.digest
    assert other(tars / "00001.tar", "--vocabulary", labels.out) == 0
    assert "nothing to do" in other.stdout
    labels(tars / "00000.tar", "--threshold", 1)  # no class is left: refused, and the old vocabulary stays
    labels(tars / "*.tar", "--threshold", 0)
    assert other(tars / "00001.tar", "--vocabulary", labels.out) == 0
    assert len(other.rows()["000000004"]) == 2


def test_build__vocabulary_from_itself(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    assert labels(tars / "*.tar", "--vocabulary", f"{labels.out}/") == 1
    assert "cannot take its vocabulary from itself" in labels.stderr
    assert labels.content() == before


def test_build__vocabulary_that_is_none(labels: Labels, tars: Path, tmp_path: Path) -> None:
    assert labels(tars / "*.tar", "--vocabulary", tmp_path / "nothing") == 1
    assert "nothing does not exist. Give a folder that `catlip labels build` wrote." in labels.stderr


def test_build__captions_are_kept_when_asked_for(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    with_none = LabelSet.open(str(labels.out))
    assert with_none.read_shard(0).captions is None
    assert labels(tars / "*.tar", "--threshold", 0, "--keep-captions") == 1
    assert "was made with --keep-captions = False, and this build has True" in labels.stderr
    assert "--rebuild" in labels.stderr
    assert labels(tars / "*.tar", "--threshold", 0, "--keep-captions", "--rebuild") == 0
    kept = LabelSet.open(str(labels.out)).read_shard(1).captions
    assert kept is not None
    assert kept.to_pylist() == [[caption] for caption in CAPTIONS[3:]]


def test_build__nouns_of_a_labeler_without_chunks(labels: Labels, tars: Path) -> None:
    assert labels(tars / "*.tar", "--labeler", "pos-nouns", "--nouns", "tags") == 1
    assert "--nouns tags goes with --labeler noun-chunks" in labels.stderr


def test_build__says_why_the_parse_is_slow(labels: Labels, tars: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert labels.json(tars / "*.tar", "--threshold", 0)["slow_parse"] is None
    monkeypatch.setattr(NounChunks, "slow", "its beam: 4 instead of 1")
    assert labels(tars / "*.tar", "--threshold", 0, "--rebuild") == 0
    assert "not built as expected (its beam: 4 instead of 1)" in " ".join(labels.stdout.split())


def test_build__tsv(labels: Labels, tmp_path: Path) -> None:
    lines = [*(f"{caption}\thttp://u\r\n" for caption in CAPTIONS), "\n", "only a horse\n"]
    (tmp_path / "x.tsv").write_bytes("".join(lines).encode() + b"caf\xe9\tu\n")
    found = labels.json(tmp_path / "x.tsv", "--threshold", 0)
    assert (found["samples"], found["images"]) == (9, 0)
    assert found["problems"] == {"caption not UTF-8": 1, "empty caption": 1, _no_noun(found): 1}
    assert labels.rows()["000000007"] == ["horse.n.01"]
    labels(tmp_path / "x.tsv", "--threshold", 0)
    assert "images    none: this label set cannot be trained on" in labels.stdout


def _no_noun(found: dict[str, Any]) -> str:
    return next(str(reason) for reason in found["problems"] if reason.startswith("no noun"))


def test_build__long_tsv_is_cut_into_shards(labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.tsv").write_text("".join(f"{caption}\tu\n" for caption in CAPTIONS))
    labels(tmp_path / "x.tsv", "--threshold", 0)
    whole = labels.rows()
    monkeypatch.setattr(text, "ROWS_PER_SHARD", 4)
    assert labels.json(tmp_path / "x.tsv", "--threshold", 0)["shards"] == 2
    assert sorted(path.name for path in (labels.out / "shards").iterdir()) == ["x-00000.parquet", "x-00001.parquet"]
    assert labels.rows() == whole


def test_build__stems_that_are_the_same(labels: Labels, tars: Path, tmp_path: Path, write_tar: WriteTar) -> None:
    (tmp_path / "more").mkdir()
    write_tar(tmp_path / "more" / "00000.tar", [("a.txt", b"a horse")])
    assert labels(tars / "00000.tar", tmp_path / "more" / "*.tar", tars / "00000.tar", "--threshold", 0) == 0
    assert [entry.name for entry in LabelSet.open(str(labels.out)).manifest.shards] == ["tars-00000", "more-00000"]
    assert len(labels.rows()) == 4


def test_build__order_of_sources_changes_no_label_shard(labels: Labels, tars: Path) -> None:
    labels(tars / "00000.tar", tars / "00001.tar", "--threshold", 0)
    before = labels.content()
    shutil.rmtree(labels.out)
    labels(tars / "00001.tar", tars / "00000.tar", "--threshold", 0)
    after = labels.content()
    same = {
        name for name in before if name.startswith("shards/") or name in ("vocabulary.parquet", "cooccurrence.parquet")
    }
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    assert len(same) == 4


def test_build__bad_input_all_at_once(labels: Labels, tars: Path, write_tar: WriteTar) -> None:
    """Every kind of bad file beside two good ones: each is counted or named, and the rest is done."""
    good = (tars / "00000.tar").read_bytes()
    (tars / "cut.tar").write_bytes(good[:4000])
    (tars / "cut_in_header.tar").write_bytes(good[:4200])
    (tars / "zero.tar").write_bytes(b"")
    (tars / "web_page.tar").write_bytes(b"<html>404</html>" * 100)
    (tars / "folder.tar").mkdir()
    (tars / "dangling.tar").symlink_to("nothing")
    os.mkfifo(tars / "pipe.tar")
    write_tar(tars / "empty.tar", [])
    write_tar(
        tars / "samples.tar",
        [
            *[("broken.jpg", b"no jpeg"), ("broken.txt", b"a dog"), ("silent.jpg", b"x")],
            *[("blank.jpg", b"x"), ("blank.txt", b" \n"), ("long.jpg", b"x"), ("long.txt", b"a dog, a cat. " * 7000)],
            *[("other.txt", "一只狗在草地上 собака на траве كلب कुत्ता".encode()), ("latin.txt", b"caf\xe9")],
            *[("json.txt", b"a horse"), ("json.json", b'{"captions": ['), ("broken.txt", b"a horse")],
        ],
    )
    found = labels.json(tars / "*.tar", "--threshold", 0, code=3)
    names = {Path(failure["source"]).name: failure["reason"] for failure in found["failed"]}
    assert set(names) == {"zero.tar", "web_page.tar", "folder.tar", "dangling.tar", "pipe.tar"}
    assert all(name in reason and "\n" not in reason for name, reason in names.items())
    assert len(found["damaged"]) == 2
    problems = found["problems"]
    no_noun = _no_noun(found)
    assert problems.pop(no_noun) >= 1
    assert problems == {
        "broken JSON": 1,
        "caption cut (too long)": 1,
        "caption not UTF-8": 1,
        "duplicate key": 1,
        "empty caption": 1,
        "missing caption": 1,
        "missing image": 4,
    }
    rows = labels.rows()
    assert rows["long"] == ["cat.n.01", "dog.n.01"]
    assert rows["json"] == ["horse.n.01"]
    assert labels(tars / "*.tar", "--threshold", 0) == 3
    assert labels.stderr.count("Warning: ") == 7
    assert "cut.tar is broken after" in labels.stderr


def test_build__no_file_can_be_read(labels: Labels, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    (tmp_path / "y.tar").write_bytes(b"no tar" * 200)
    assert labels(tmp_path / "*.tar") == 1
    assert labels.stderr.splitlines()[0] == "Error: No input shard could be read:"
    assert len(labels.stderr.splitlines()) == 3


@pytest.mark.parametrize("pattern", ["nothing.tar", "{00000..00009}.tar", "*.zip", "", "{0.."])
def test_build__source_that_matches_nothing(labels: Labels, tars: Path, pattern: str) -> None:
    assert labels(f"{tars}/{pattern}") == 1
    assert len(labels.stderr.splitlines()) == 1


def test_build__tar_gz(labels: Labels, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz"):
        pass
    assert labels(tmp_path / "x.tar.gz") == 1
    assert "Unpack it to a plain .tar." in labels.stderr


def test_build__keys_and_names_of_other_scripts(labels: Labels, tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(
        tmp_path / "日本.tar", [("狗 🐕.jpg", b"image"), ("狗 🐕.txt", b"a dog")], tar_format=tarfile.PAX_FORMAT
    )
    assert labels(tar, "--threshold", 0) == 0
    shard = LabelSet.open(str(labels.out)).read_shard(0)
    place = shard.image(0)
    assert place is not None
    assert ImageReader().read(*place, "狗 🐕") == b"image"


def test_build__folder_with_other_files_is_left_alone(labels: Labels, tars: Path) -> None:
    shards = labels.out / "shards"
    shutil.copytree(tars, shards)
    before = labels.content()
    assert labels(shards / "*.tar", "--threshold", 0) == 1
    assert "holds other files. Choose a new or empty folder for --out" in labels.stderr
    assert labels(shards / "*.tar", "--threshold", 0) == 1
    assert labels.content() == before


def test_build__out_is_a_file(labels: Labels, tars: Path) -> None:
    labels.out.write_text("notes")
    assert labels(tars / "*.tar", "--threshold", 0) == 1
    assert f"{labels.out} is a file." in labels.stderr
    assert labels.out.read_text() == "notes"


def test_build__empty_folder_is_fine(labels: Labels, tars: Path) -> None:
    labels.out.mkdir()
    assert labels(tars / "*.tar", "--threshold", 0) == 0


def test_build__full_disk(labels: Labels, tars: Path) -> None:
    labels(tars / "*.tar", "--threshold", 0)
    before = labels.content()
    shutil.rmtree(labels.out)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        assert labels(tars / "*.tar", "--threshold", 0) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.fullmatch(rf"Error: {labels.out}/.*: File too large\n", labels.stderr)
    with pytest.raises(LabelSetError, match="not a finished label set"):
        LabelSet.open(str(labels.out))
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert labels.content() == before


def test_build__remote_folder(labels: Labels, tars: Path) -> None:
    labels.out = "memory://bucket/labels"  # type: ignore[assignment]
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert len(labels.rows()) == 6
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert "nothing to do" in labels.stdout
    assert candidates.read_report("memory://bucket/labels/_candidates", "00000") is not None


def test_build__emoji_codes_in_names_stay(labels: Labels, tars: Path) -> None:
    labels.out = labels.out / ":dog:"
    assert labels(tars / "*.tar", "--threshold", 0) == 0
    assert "/:dog:" in labels.stdout


def test_setup__everything_is_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "setup"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("Language data is in place\n  spaCy model     en_core_web_sm")
    assert str(native.folder()) in said.out
    assert said.err == "Compiling the parse, unless that was done …\n"
    assert run(["labels", "setup", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["spacy_model"].startswith("en_core_web_sm")
    assert found["compiled_parse"] == str(native.folder())
