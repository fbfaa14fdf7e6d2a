"""Label sets and what builds remember, forged so that their hashes are right."""

import io
import json
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catlip_cli.main import run
from labelgen import candidates
from labelgen.arrays import packed
from labelgen.classes.corenet_vocabulary import read_vocabulary
from labelgen.classes.edit import Edits, edit_of, read_edit
from labelgen.distill import table as distilled
from labelgen.folder import state
from labelgen.meaning import resolved
from labelgen.meaning.atlas import Atlas
from labelshards import parquet, schema, storage
from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import LabelSet, Manifest
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary
from tests.attack.label_files import READERS, sealed
from tests.labelset_factory import coloured, write_label_set

GIVEN = {reader.name: reader for reader in READERS}
SHARD = "shards/00000.parquet"


def written(table: pa.Table, metadata: dict[bytes, bytes] | None) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue()


def read_shard(data: bytes, digest: str) -> LabelShard:
    return LabelShard.from_bytes(data, vocabulary_digest=digest, with_captions=True, where=SHARD)


def test_label_shard__whatever_its_columns_and_its_footer_say_is_one_line() -> None:
    table = parquet.read_table(GIVEN["shard"].seeds[0])
    metadata = dict(table.schema.metadata)
    digest = metadata[schema.META_VOCABULARY].decode()
    assert len(read_shard(written(table, metadata), digest)) == 3
    for key, value in (
        (schema.META_IMAGE_FILES, b"\xff"), (schema.META_IMAGE_FILES, b"[" * 100_000),
        (schema.META_IMAGE_FILES, b"[3]"), (schema.META_VOCABULARY, b"\xff"), (schema.META_IMAGE_FILES, None),
    ):  # fmt: skip
        forged = {name: each for name, each in {**metadata, key: value}.items() if each is not None}
        with pytest.raises(LabelSetError, match=SHARD):
            read_shard(written(table, forged), digest)
    for name, column in (
        ("labels", pa.array([[1, None], [0], []], pa.list_(pa.uint32()))), ("labels", pa.array([None, [0], []])),
        ("labels", pa.array([[-1], [0], []])), ("key", pa.array([None, "a", "b"])), ("image", pa.array([1, 2, 3])),
        ("image", pa.array([{"file": None, "offset": 1, "size": 2}] * 3)), ("key", pa.array([b"\xff"] * 3)),
        ("key", pa.array([b"\xff"] * 3).view(pa.string())),
        ("image", pa.array([{"file": 1, "offset": 1, "size": 2}] * 3)),
        ("image", pa.array([{"file": 0, "offset": -1, "size": 2}] * 3)),
        ("image", pa.array([{"file": 0, "offset": 1, "size": -2}] * 3)),
    ):  # fmt: skip
        forged_table = table.set_column(table.column_names.index(name), name, column)
        with pytest.raises(LabelSetError, match=SHARD):
            read_shard(written(forged_table, metadata), digest)
    with pytest.raises(LabelSetError, match="of other types"):
        read_shard(written(table.append_column("key", table["key"]), metadata), digest)


@pytest.mark.parametrize("name", ["x.parquet", "x.terms"])
def test_candidates__whatever_a_column_holds_is_one_line(tmp_path: Path, name: str) -> None:
    given = GIVEN["candidates"]
    whole = {**given.beside, given.file: given.seeds[0]}
    table = parquet.read_table(whole[name])
    for number, column in enumerate(table.column_names):
        for values in (
            pa.array([None] * len(table), pa.null()),
            pa.array([{"a": 1}] * len(table)),
            pa.array(["?"] * len(table)),
        ):
            if (column, values.type) in (("key", pa.string()), ("text", pa.string()), ("image", pa.null())):
                continue
            for path, data in whole.items():
                (tmp_path / path).write_bytes(data)
            forged = table.set_column(number, column, values)
            (tmp_path / name).write_bytes(written(forged, table.schema.metadata))
            with pytest.raises(CatlipError, match=f"{name} cannot be read .*--rebuild") as refused:
                given.call(tmp_path / given.file, tmp_path)
            assert "\n" not in str(refused.value)


def test_candidates__numbers_of_entries_that_there_are_not_are_one_line(tmp_path: Path) -> None:
    given = GIVEN["candidates"]
    whole = {**given.beside, given.file: given.seeds[0]}
    for name, column, values in (
        ("x.terms", "head", pa.array([9] * 2, pa.int32())), ("x.parquet", "labels", pa.array([[0], [9], []])),
        ("x.terms", "captions", None),
    ):  # fmt: skip
        for path, data in whole.items():
            (tmp_path / path).write_bytes(data)
        table = parquet.read_table(whole[name])
        at = table.column_names.index(column)
        forged = table.remove_column(at) if values is None else table.set_column(at, column, values)
        (tmp_path / name).write_bytes(written(forged, table.schema.metadata))
        with pytest.raises(CatlipError, match=r"cannot be read .*--rebuild"):
            given.call(tmp_path / given.file, tmp_path)


def test_resolved__arrays_that_lie_are_as_good_as_none(tmp_path: Path) -> None:
    """With the right hash, and nulls, words, or no row at all."""
    given = GIVEN["resolved"]
    for array in (pa.array([None, 1]), pa.array(["a"]), pa.array([1.5]), pa.array([], pa.null())):
        names = ("numbers", "support", "lengths", "labels")
        (tmp_path / given.file).write_bytes(packed.to_bytes(dict.fromkeys(names, array), "key"))
        assert resolved.read_labels(str(tmp_path), "x", "nouns", "key") is None
    assert packed.from_bytes(sealed(bytes(16) + b"x" * 99), "key") is None


def test_candidates__a_report_that_is_none_is_no_shard_that_is_done(tmp_path: Path) -> None:
    given = GIVEN["candidates"]
    table = parquet.read_table(given.seeds[0])
    for report in (b"\xff", b"[" * 100_000, b"[]", b""):
        (tmp_path / "x.parquet").write_bytes(written(table, {b"catlip.report": report}))
        assert candidates.read_report(str(tmp_path), "x") is None
        with pytest.raises(CatlipError, match="cannot be read"):
            candidates.read_samples(str(tmp_path), "x")


@pytest.mark.parametrize("data", [b"\xff", b"[" * 100_000, b'{"fields": 3}', b'{"fields": [1]}', b"3"])
def test_state__what_is_no_json_is_one_line_or_nothing(tmp_path: Path, data: bytes) -> None:
    for name in (state.PLAN_NAME, candidates.SETTINGS_NAME):
        (tmp_path / name).write_bytes(data)
    given = GIVEN["settings"]
    with pytest.raises(CatlipError, match="is damaged"):
        state.read_plan(str(tmp_path))
    with pytest.raises(CatlipError, match="--rebuild"):
        given.call(tmp_path / candidates.SETTINGS_NAME, _fresh(tmp_path))
    (tmp_path / "x.failed").write_bytes(data)
    GIVEN["failure"].call(tmp_path / "x.failed", tmp_path)


def _fresh(folder: Path) -> Path:
    (folder / "out").mkdir()
    return folder / "out"


@pytest.mark.parametrize("cut", [20, 400, 1000])
def test_distilled__a_table_that_breaks_off_is_one_line(tmp_path: Path, cut: int) -> None:
    data = bytearray(GIVEN["distilled"].seeds[0])
    data[cut : cut + 200] = bytes(200)
    (tmp_path / "t.parquet").write_bytes(data)
    with pytest.raises(CatlipError, match=r"t.parquet is no table"):
        distilled.read(str(tmp_path / "t.parquet"))


@pytest.mark.parametrize(("labels", "expected"), [([[9], [0], []], "holds class 9"), ([[1, 0], [0], []], "not sorted")])
def test_read_shard__labels_that_no_head_has_are_one_line(
    tmp_path: Path, labels: list[list[int]], expected: str
) -> None:
    """They would be found by an index behind the logits, on a GPU."""
    given = GIVEN["shard"]
    table = parquet.read_table(given.seeds[0])
    forged = table.set_column(1, "labels", pa.array(labels, pa.list_(pa.uint32())))
    for name, data in {**given.beside, given.file: written(forged, table.schema.metadata)}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LabelSetError, match=expected):
        given.call(tmp_path / given.file, _fresh(tmp_path))


def test_vocabulary__a_class_without_a_name_is_one_line() -> None:
    table = parquet.read_table(GIVEN["vocabulary"].seeds[0])
    forged = table.set_column(4, "lemmas", pa.array([[]] * len(table), pa.list_(pa.string())))
    with pytest.raises(LabelSetError, match="a class without a name"):
        Vocabulary.from_bytes(written(forged, table.schema.metadata), "vocabulary.parquet")


def test_edit_of__what_no_catlip_writes_is_one_line(tmp_path: Path) -> None:
    root = write_label_set(tmp_path, coloured(1, 2))
    manifest = msgspec.json.decode((root / schema.MANIFEST_NAME).read_bytes(), type=Manifest)
    forged = msgspec.structs.replace(manifest.provenance, settings={schema.EDIT: {"deny": 3}})
    (root / schema.MANIFEST_NAME).write_bytes(msgspec.structs.replace(manifest, provenance=forged).to_bytes())
    with pytest.raises(CatlipError, match="what no catlip writes"):
        edit_of(LabelSet.open(str(root)))


@pytest.mark.parametrize(
    "line",
    [
        "below ",
        "+",
        "a+b+c",
        "dog.n.01+",
        "noun.nowhere",
        "n99999999999999999999",
        "dog.n." + "9" * 5_000,
        "\u2028x",
        "é\t\t\t",
    ],
)
def test_edits__names_that_are_none_are_one_line(tmp_path: Path, atlas: Atlas, line: str) -> None:
    (tmp_path / "deny.txt").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(CatlipError) as refused:
        Edits(read_edit(str(tmp_path / "deny.txt"), None, None, [], None), atlas)
    assert "\n" not in str(refused.value)


def test_corenet_vocabulary__pickles_that_would_do_more_or_take_more(tmp_path: Path, atlas: Atlas) -> None:
    """A bomb of references to references; an index of 4 GB; a function; a dict that holds itself; words without end."""
    laughs = (
        b"("
        + b"]q\x00"
        + b"".join(b"](" + b"h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(90))
    )
    for data in (
        laughs + b".", b"\x80\x04}r\xff\xff\xff\xff.", b"cos\nsystem\n(S'true'\ntR.", b"\x80\x02}q\x00h\x00h\x00s.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"I" + b"9" * 5_000 + b"\n.",
        b"\x80\x02}(" + b"K\x01" * 10**5 + b"u.",
    ):  # fmt: skip
        (tmp_path / "v.pkl").write_bytes(data)
        with pytest.raises(CatlipError, match=r"v.pkl"):
            read_vocabulary(str(tmp_path / "v.pkl"), atlas)


def test_run__a_name_that_moves_the_cursor_is_spelled_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[2J\x1b]0;x\x07\r.tsv"
    (tmp_path / name).write_text("a\tb\n")
    assert run(["labels", "build", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 1
    assert run(["vocab", "inspect", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert r"\x1b[2J\x1b]0;x\x07\r.tsv" in said
    assert not set(said) & {"\x1b", "\x07", "\r"}


WRITES: dict[str, tuple[str, ...]] = {
    "sample": ("sample", "OUT", "--scenes", "1", "--heldout", "0"),
    "build": ("labels", "build", "SOURCE", "--out", "OUT"),
    "prune": ("vocab", "prune", "LABELS", "--out", "OUT", "--threshold", "1"),
    "export": ("vocab", "export", "LABELS", "OUT/x.tsv"),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("out", ["/proc/catlip", "FILE", "FILE/deeper", "LOOP"])
def test_run__where_nobody_can_write_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, out: str
) -> None:
    """In a file system that is read only, in a file, below one, and in a link to itself; as root, too."""
    root = write_label_set(tmp_path, coloured(1, 2))
    (tmp_path / "a.tsv").write_text("a dog\thttp://x\n")
    (tmp_path / "file").write_text("kept")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    where = out.replace("FILE", str(tmp_path / "file")).replace("LOOP", str(tmp_path / "loop"))
    words = [each.replace("OUT", where).replace("SOURCE", str(tmp_path / "a.tsv")).replace("LABELS", str(root))
             for each in WRITES[name]]  # fmt: skip
    code = run(words)
    said = capsys.readouterr().err
    assert code in (1, 2), said
    assert said.count("Error") == 1
    assert "Traceback" not in said
    assert (tmp_path / "file").read_text() == "kept"


def test_write_bytes__a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "labelset.json").symlink_to(tmp_path / "precious")
    storage.write_bytes(str(tmp_path / "labelset.json"), b"new")
    assert (tmp_path / "precious").read_text() == "kept"
    assert (tmp_path / "labelset.json").read_bytes() == b"new"
    assert not (tmp_path / "labelset.json").is_symlink()


@pytest.mark.parametrize("name", ["../../elsewhere", "a\0b", ""])
def test_open__a_shard_name_that_is_no_file_of_the_label_set_is_one_line(tmp_path: Path, name: str) -> None:
    root = write_label_set(tmp_path, coloured(1, 2))
    manifest = root / schema.MANIFEST_NAME
    told = msgspec.json.decode(manifest.read_bytes())
    told["shards"][0]["name"] = name
    manifest.write_bytes(msgspec.json.encode(told))
    with pytest.raises(LabelSetError, match=r"labelset\.json is damaged.*Run `catlip labels build`") as caught:
        LabelSet.open(str(root))
    assert "$.shards[0].name" in str(caught.value)


def test_read_plan__names_of_shards_are_text_and_no_templates_or_paths(tmp_path: Path) -> None:
    """Found by fuzzing: names were filled in by str.format, and a URI without a folder gave none."""
    seed = json.loads(GIVEN["plan"].seeds[0])
    [file] = seed["files"]
    for name, uri, expected in (
        ("{0}", "/a/x.tar", "{0}"),
        ("{Rtem}-{stem.__class__}", "/a/x.tar", "{Rtem}-{stem.__class__}"),
        ("{", "/a/x.tar", "{"),
        ("{stem}-1", "x.tar", "x-1"),
    ):
        (tmp_path / state.PLAN_NAME).write_text(json.dumps(seed | {"files": [file | {"name": name, "uri": uri}]}))
        assert [shard.name for shard in state.read_plan(str(tmp_path)).shards()] == [expected]
    for name, uri in (("../{stem}", "/a/x.tar"), ("a\0", "/a/x.tar"), ("{stem}", "/a/x\0.tar")):
        (tmp_path / state.PLAN_NAME).write_text(json.dumps(seed | {"files": [file | {"name": name, "uri": uri}]}))
        with pytest.raises(CatlipError, match="names label shards as no file can be named"):
            state.read_plan(str(tmp_path))
