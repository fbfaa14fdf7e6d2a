import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catlip_cli.main import run
from catlip_cli.vocab.inspect import SORTS
from labelgen.audit import select, totals
from labelshards.errors import CatlipError

CAPTIONS = [
    "a dog and a cat", "two dogs on a sofa", "a polar bear on the ice", "a teddy bear on a couch", "it rains",
    "photo",
]  # fmt: skip
Said = Callable[[], tuple[str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, build_labels: Callable[..., str]) -> str:
    return build_labels(tmp_path_factory.mktemp("vocab"), CAPTIONS, threshold=0)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def both() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return both


def test_inspect__table_and_sums(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder]) == 0
    out, err = said()
    lines = out.splitlines()
    assert lines[0].split() == ["rank", "synset", "support", "share", "branch", "term", "ambiguity", "flags", "gloss"]
    assert lines[1].split()[:6] == ["1", "dog.n.01", "2", "33.3", "%", "mammal.n.01"]
    assert f"Vocabulary of {folder}" in lines
    assert "  samples          6, 66.7 % with labels" in lines
    assert any(line.split() == ["1", "2", "50.0", "%"] for line in lines)  # 2 classes above 1, in half of the samples
    reasons = [line.split("%")[1].strip() for line in lines if line.strip().startswith(("16.7 %", "33.3 %"))]
    assert totals.NO_LABEL in reasons
    assert lines[-1] == f"Next: catlip vocab inspect {folder} --class dog.n.01"
    assert err == ""


def test_inspect__json_is_one_object(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, "--json", "--limit", "2"]) == 0
    found = json.loads(said()[0])
    assert found["matching"] == found["totals"]["classes"] == 6
    assert [row["synset"] for row in found["classes"]] == ["dog.n.01", "sofa.n.01"]
    assert found["labels_per_sample"] == {"0": 2, "2": 4}
    assert found["by_threshold"][1] == {"threshold": 1, "classes": 2, "samples": 3}
    assert sum(found["without_labels"].values()) == 2


def test_inspect__filters_say_what_part_they_are(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, "--filter", "word=bear", "--under", "bear.n.01"]) == 0
    out, _ = said()
    assert "ice_bear.n.01" in out
    assert "teddy.n.01" not in out
    assert "1 of 6 classes, with 12.5 % of all labels." in out
    assert run(["vocab", "inspect", folder, "--filter", "word=zebra"]) == 0
    assert said()[0].startswith(f"No class of {folder} is like that.")


def test_inspect__limit(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, "--limit", "2", "--sort", "name"]) == 0
    assert "… 4 more; --limit 0 shows all." in said()[0]
    assert run(["vocab", "inspect", folder, "--limit", "0"]) == 0
    assert " more; " not in said()[0]


def test_inspect__csv_and_parquet_hold_all_columns(folder: str, said: Said, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("a.csv", "a.parquet")]
    assert run(["vocab", "inspect", folder, "--csv", files[0], "--parquet", files[1], "--limit", "1"]) == 0
    assert f"Wrote 6 classes to {files[0]}." in said()[1]
    lines = Path(files[0]).read_text().splitlines()
    assert len(lines) == 7
    assert lines[0].startswith("class_id,family,wnid,synset,lemmas,lexname,support,share")
    assert "dog | domestic dog | Canis familiaris" in lines[1]
    assert pq.read_table(files[1]).num_rows == 6
    assert run(["vocab", "inspect", folder, "--csv", "-"]) == 0
    assert said()[0] == Path(files[0]).read_text()


def test_inspect__parquet_on_stdout(folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "catlip_cli.main", "vocab", "inspect", folder, "--parquet", "-"],
        check=True,
        capture_output=True,
    )
    assert pq.read_table(io.BytesIO(done.stdout)).num_rows == 6


def test_inspect__stdout_is_closed(folder: str) -> None:
    command = [sys.executable, "-m", "catlip_cli.main", "vocab", "inspect", folder]
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_inspect__one_class(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, "--class", "couch"]) == 0
    out, _ = said()
    assert out.startswith("sofa.n.01\n")
    assert "a teddy bear on a couch" in out
    assert "above" in out
    assert run(["vocab", "inspect", folder, "--class", "n02084071", "--json"]) == 0
    found = json.loads(said()[0])
    assert found["class"]["synset"] == "dog.n.01"
    assert found["class"]["terms"][0]["term"] == "dog"


def test_inspect__unknown_class_names_the_nearest(folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, "--class", "dogg"]) == 1
    assert said()[1] == f"Error: {folder} has no class 'dogg'. The nearest: dog.n.01.\n"


def test_inspect__without_wordnet_shows_the_rest(folder: str, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise CatlipError("WordNet 3.0 was not found. Run: catlip labels setup")

    monkeypatch.setattr("labelgen.meaning.atlas.read_atlas", missing)
    assert run(["vocab", "inspect", folder]) == 0
    out, err = said()
    assert "dog.n.01" in out
    assert err == (
        "Note: no branches, ambiguity and neighbours are shown. WordNet 3.0 was not found. Run: catlip labels setup\n"
    )
    assert run(["vocab", "inspect", folder, "--class", "dog"]) == 0
    assert "a dog and a cat" in said()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["other"], "Got 2 label sets, and shows one. A word goes with --filter word=other"),
        (["--filter", "dog"], "'dog' is not KEY=VALUE with a KEY of family, lexname, branch, flag, word"),
        (["--filter", "colour=red"], "is not KEY=VALUE"),
        (["--sort", "colour"], "Invalid value for '--sort'"),
        (["--limit", "many"], "not a valid integer"),
        (["--class", "dog", "--csv", "-"], "--class shows one class"),
        (["--class", "dog", "--filter", "word=dog"], "--class shows one class"),
        (["--class", "", "--html", "x.html"], "--html shows every class"),
        (["--csv", "-", "--json"], "Standard output takes one of"),
        (["--csv", "-", "--parquet", "-"], "Standard output takes one of"),
    ],
)
def test_inspect__usage_errors(options: list[str], message: str, folder: str, said: Said) -> None:
    assert run(["vocab", "inspect", folder, *options]) == 2
    assert message in " ".join(said()[1].split())


def test_inspect__sorts_are_those_that_there_are() -> None:
    assert set(SORTS) == {*select.SORTS, select.SORT_BY_FLAGS}


def test_coverage__table(folder: str, said: Said, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("n02084071\nice_bear.n.01\npoodle.n.01\nn05833840\n")
    assert run(["vocab", "coverage", folder, "--against", str(tmp_path / "mine.txt")]) == 0
    out, _ = said()
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert table["exact"][:3] == ["2", "50.0", "%"]
    assert table["similar"] == ["1", "25.0", "%", "2", "2"]
    assert table["n05833840"][:2] == ["idea", "idea.n.01"]


def test_coverage__json(folder: str, said: Said) -> None:
    assert run(["vocab", "coverage", folder, "--against", "coco", "--json"]) == 0
    found = json.loads(said()[0])
    assert found["classes"] == 80 == len(found["targets"])
    dog = next(each for each in found["targets"] if each["target"] == "dog")
    assert dog["match"] == "exact"
    assert dog["classes"][0]["support"] == 2
    assert sum(found["matches"].values()) == 80


def test_coverage__wrong_input(folder: str, said: Said) -> None:
    assert run(["vocab", "coverage", folder, "--against", "imagenet"]) == 1
    assert "There is no list 'imagenet'. Lists: imagenet-1k" in said()[1]
    assert run(["vocab", "coverage", folder, "--against", "coco", "--alpha", "0"]) == 2
    assert run(["vocab", "coverage", folder]) == 2


@pytest.mark.usefixtures("one_process")
def test_prune__then_diff(folder: str, said: Said, tmp_path: Path) -> None:
    (tmp_path / "deny").write_text("furniture.n.01\nsofa.n.01\n")
    (tmp_path / "merge").write_text("below bear.n.01\tbear.n.01\n")
    out = str(tmp_path / "clean")
    options = ["--deny", str(tmp_path / "deny"), "--merge", str(tmp_path / "merge"), "--out", out]
    assert run(["vocab", "prune", folder, *options]) == 0
    text = said()[0]
    assert "  classes    5, before 6" in text
    assert text.endswith(f"Next: catlip vocab diff {folder} {out}\n")
    assert run(["labels", "verify", out]) == 0
    said()
    assert run(["vocab", "diff", folder, out]) == 0
    text = said()[0]
    assert "sofa.n.01" in text
    assert "polar bear" in text
    assert run(["vocab", "diff", folder, out, "--json"]) == 0
    found = json.loads(said()[0])["difference"]
    assert [each["synset"] for each in found["added"]] == ["bear.n.01"]
    assert [each["synset"] for each in found["removed"]] == ["sofa.n.01", "ice_bear.n.01"]
    assert run(["vocab", "diff", folder, out, "--term", "Polar  bear"]) == 0
    assert "ice_bear.n.01 1" in said()[0]


def test_prune__wrong_input(folder: str, said: Said, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert run(["vocab", "prune", folder, "--out", out]) == 2
    assert "Nothing to do" in said()[1]
    assert run(["vocab", "prune", folder, "--out", out, "--deny", str(tmp_path / "none")]) == 1
    assert "No such file" in said()[1]
    (tmp_path / "deny").write_text("dogg.n.01\n")
    assert run(["vocab", "prune", folder, "--out", out, "--deny", str(tmp_path / "deny")]) == 1
    assert "no synset 'dogg.n.01'" in said()[1]
    assert not Path(out, "labelset.json").exists()


def test_import_and_export__round_trip(folder: str, said: Said, tmp_path: Path) -> None:
    pickled, out = str(tmp_path / "vocab.pkl"), str(tmp_path / "corenet")
    assert run(["vocab", "export", folder, "--format", "corenet", "--out", pickled]) == 0
    wrote, classes, _, then = said()[0].splitlines()
    assert (wrote, classes.split()) == (f"Wrote {pickled}", ["classes", "6"])
    assert then == f"Next: catlip train --labels {folder} --recipe FILE --out DIR"
    assert run(["vocab", "export", folder, "--format", "corenet", "--out", pickled, "--json"]) == 0
    assert json.loads(said()[0]) == {"out": pickled, "format": "corenet", "classes": 6}
    assert run(["vocab", "export", folder, "--format", "csv", "--json"]) == 2
    assert "Give --out FILE with --json" in said()[1]
    assert run(["vocab", "import-corenet", pickled, "--out", out]) == 0
    assert "dog.n.01 (2)" in said()[0]
    assert run(["vocab", "inspect", out]) == 0
    text = said()[0]
    assert "samples  0: a vocabulary alone" in text
    assert "labels a sample" not in text
    assert run(["vocab", "export", out, "--format", "csv"]) == 0
    assert len(said()[0].splitlines()) == 7


def test_import__hostile(said: Said, tmp_path: Path) -> None:
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert run(["vocab", "import-corenet", str(tmp_path / "bad.pkl"), "--out", str(tmp_path / "out")]) == 1
    assert said()[1].startswith(f"Error: {tmp_path / 'bad.pkl'} was refused")
    assert run(["vocab", "import-corenet", str(tmp_path / "none.pkl"), "--out", str(tmp_path / "out")]) == 1
    assert "No such file" in said()[1]


@pytest.mark.parametrize(
    "words",
    [
        ["inspect"],
        ["coverage", "--against", "coco"],
        ["prune", "--threshold", "1", "--out", "x"],
        ["export", "--format", "csv"],
    ],
)
def test_every_verb__other_version_and_missing_files(words: list[str], said: Said, folder: str, tmp_path: Path) -> None:
    manifest = json.loads(Path(folder, "labelset.json").read_text())
    old = tmp_path / "old"
    old.mkdir()
    (old / "labelset.json").write_text(json.dumps({**manifest, "format_version": 1}))
    assert run(["vocab", words[0], str(old), *words[1:]]) == 1
    assert "has format version 1; this catlip reads version 2" in said()[1]
    (old / "labelset.json").write_text(json.dumps(manifest))
    assert run(["vocab", words[0], str(old), *words[1:]]) == 1
    assert f"{old}/vocabulary.parquet is missing. Run `catlip labels build` again." in said()[1]
    assert run(["vocab", words[0], str(tmp_path / "none"), *words[1:]]) == 1
    assert "none does not exist. Give a folder that `catlip labels build` wrote." in said()[1]
    assert run(["vocab", "diff", folder, str(old)]) == 1
    assert "is missing" in said()[1]


@pytest.mark.slow
def test_inspect__reader_that_goes_away(folder: str) -> None:
    """As in `catlip vocab inspect … | head -1`, with more output than a pipe holds.

    Several times, because threads that still read when Python ends abort the process now and then (one in five, once).
    """
    code = (
        "from catlip_cli import terminal, main; import sys;"
        "terminal.print_next('x' * 1_000_000);"
        "sys.exit(main.run(sys.argv[1:]))"
    )
    endings = set()
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", code, "vocab", "inspect", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            endings.add((process.stderr.read(), process.wait(timeout=30)))
    assert endings == {(b"", 1)}
