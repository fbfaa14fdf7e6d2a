"""Readers of what builds leave: label sets, whoever may have changed them since, and what a build remembers."""

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labelgen import candidates
from labelgen.distill import table as distilled
from labelgen.distill.tagset import NUM_CLASSES
from labelgen.distill.weights import Weights
from labelgen.extract import Settings
from labelgen.folder import state
from labelgen.meaning import resolved
from labelgen.meaning.resolve import Choice, Labels, Produced
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard
from labelshards import schema, storage
from labelshards.errors import CatlipError
from labelshards.images import ImageReader
from labelshards.labelset import LabelSet, Manifest
from labelshards.shards import image_rows
from labelshards.verify import verify
from labelshards.vocabulary import Vocabulary
from tests.attack.reader import Reader
from tests.attack.shapes import of_json, of_table
from tests.labelgen.shards import shard as candidate_shard
from tests.labelset_factory import coloured, write_label_set

_SHARD = "shards/00000.parquet"
_TABLES = {
    schema.COOCCURRENCE_NAME: pa.table({"a": [0], "b": [1], "support": [3]}).cast(schema.COOCCURRENCE),
    schema.EXAMPLES_NAME: pa.table(
        {"class_id": [0], "term": ["red"], "count": [2], "captions": [["a red one"]]}
    ).cast(schema.EXAMPLES),
}  # fmt: skip
_SETTINGS = Settings(rules=1, labeler="corenet", fields=Fields(), keep_captions=False, terms="", tools={})
_CHOICE = Choice(senses="first", stoplist=False, modifiers=False, families={"nouns": 0}, hypernym_depth=0, pins="")
_INPUT = InputShard(name="{stem}", uri="/data/x.tar", format="tar", identity="1", size=2)
_KEY = "key"


def made(write: Callable[[Path], object]) -> dict[str, bytes]:
    """What `write` leaves in a folder, by path."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        files = [path for path in Path(name).rglob("*") if path.is_file()]
        return {str(path.relative_to(name)): path.read_bytes() for path in files}


_SET = made(lambda folder: write_label_set(folder, coloured(1, 3), tables=_TABLES))
_WHERE = str(Path(msgspec.json.decode(_SET["labels/labelset.json"])["shards"][0]["source"]).parent)


def _open(file: Path, _out: Path) -> None:
    _verified(file.parent, file.parents[1] / "tars")


def _vouched(name: str) -> Callable[[Path, Path], None]:
    """A label set whose manifest has the hash of a changed file `name`, and what else a forger would put right."""

    def call(file: Path, out: Path) -> None:
        root = out / "labels"
        shutil.copytree(file.parents[name.count("/")], root)
        data = file.read_bytes()
        manifest = msgspec.json.decode((root / schema.MANIFEST_NAME).read_bytes(), type=Manifest)
        hashed = storage.digest(data)
        entry, digest = manifest.shards[0], manifest.vocabulary_digest
        if name == _SHARD:
            with suppress(OSError, pa.ArrowException):
                entry = msgspec.structs.replace(entry, rows=pq.read_metadata(pa.BufferReader(data)).num_rows)
            entry = msgspec.structs.replace(entry, xxh3_64=hashed)
        elif name == schema.VOCABULARY_NAME:
            with suppress(CatlipError):
                digest = Vocabulary.from_bytes(data, name).digest
        forged = msgspec.structs.replace(
            manifest, files={**manifest.files, name: hashed}, shards=[entry], vocabulary_digest=digest
        )
        (root / schema.MANIFEST_NAME).write_bytes(forged.to_bytes())
        _verified(root, file.parents[name.count("/") + 1] / "tars")

    return call


def _verified(root: Path, tars: Path) -> None:
    """Everything that is ever read of a label set. Raises CatlipError for the first thing that is wrong."""
    moved = {_WHERE: str(tars)}
    found = verify(str(root), deep=True, moved=moved)
    label_set = LabelSet.open(str(root))
    assert len(label_set.vocabulary.descriptions) == len(label_set.vocabulary)
    label_set.examples().to_pylist()
    label_set.cooccurrence().to_pylist()
    reader = ImageReader(moved=moved)
    for index in range(min(2, len(label_set.manifest.shards))):
        shard = label_set.read_shard(index)
        for row in image_rows(shard).tolist():
            place = shard.image(row)
            assert place is not None
            reader.read(*place, shard.keys[row].as_py())
    reader.close()
    if found.wrong:
        raise CatlipError(found.wrong[0])


_CANDIDATES = made(lambda folder: candidates.write(str(folder), "x", candidate_shard([["dog"], ["cat:modifier"], []])))


def _candidates(file: Path, _out: Path) -> None:
    folder = str(file.parent)
    candidates.read_report(folder, "x")
    candidates.read_lengths(folder, "x")
    candidates.read_samples(folder, "x")
    candidates.read_mentions(folder, "x")
    candidates.read_entries(folder, "x")
    texts = candidates.read_texts(folder, "x")
    texts.of(np.arange(len(texts.texts)))
    candidates.read_captions(folder, "x")


def _write_resolved(folder: Path) -> None:
    mentions = candidate_shard([["dog"], ["cat", "dog"]]).mentioned()
    rows = np.repeat(np.arange(2), np.diff(mentions.offsets))
    labels = Labels(rows, mentions.values + 7)
    produced = Produced(*(np.arange(2) + 7 * (name == "labels") for name in Produced._fields))
    resolved.write(str(folder), "x", schema.NOUNS, _KEY, resolved.pack_labels(2, labels, produced))


def _resolved(file: Path, _out: Path) -> None:
    for read in (resolved.read_support, resolved.read_labels, resolved.read_produced):
        read(str(file.parent), "x", schema.NOUNS, _KEY)


def sealed(data: bytes) -> bytes:
    """A file that begins with its own hash, hashed anew."""
    return storage.digest(data[16:]).encode() + data[16:]


_PLAN = state.BuildPlan(
    sources=["x.tar"], settings=_SETTINGS, choice=_CHOICE, terms=None, pins=None, vocabulary_from=None,
    keep_candidates=True, max_bad_fraction=0.5, num_slices=2, files=[_INPUT],
)  # fmt: skip


def _plan(file: Path, _out: Path) -> None:
    plan = state.read_plan(str(file.parent))
    shards = plan.shards()
    state.missing_text(shards, {shard.name for shard in shards}, plan.num_slices and min(plan.num_slices, 1000))


def _claim(file: Path, out: Path) -> None:
    shutil.copy(file, out)
    state.claim(str(out), _SETTINGS, rebuild=False)


def _failed(file: Path, _out: Path) -> None:
    state.status(str(file.parent), [_INPUT.renamed("x")], _SETTINGS)


_WEIGHTS = Weights(
    {("0", "dog"): 1, ("-1 0", "a dog"): 2}, np.arange(3 * NUM_CLASSES, dtype=np.int16).reshape(3, NUM_CLASSES)
)
_AGREED = distilled.Agreement(precision=0.9, recall=0.9, f1=0.9)
_TAUGHT = distilled.Taught(by="x", captions=9, held_out=3, labels=_AGREED, terms=_AGREED)


def _beside(name: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in files.items() if path != name}


def _of_label_set(name: str) -> Reader:
    path = f"labels/{name}"
    return Reader(
        name=name.removesuffix(".parquet").replace("shards/00000", "shard"), file=path, seeds=[_SET[path]],
        beside=_beside(path, _SET), call=_vouched(name), shapes=(of_table,),
    )  # fmt: skip


READERS = (
    Reader(name="manifest", file="labels/labelset.json", seeds=[_SET["labels/labelset.json"]], call=_open,
           beside=_beside("labels/labelset.json", _SET), shapes=(of_json,)),
    *map(_of_label_set, (schema.VOCABULARY_NAME, _SHARD, schema.COOCCURRENCE_NAME, schema.EXAMPLES_NAME)),
    Reader(name="candidates", file="x.parquet", seeds=[_CANDIDATES["x.parquet"]], call=_candidates,
           beside=_beside("x.parquet", _CANDIDATES), shapes=(of_table,)),
    Reader(name="terms-of-candidates", file="x.terms", seeds=[_CANDIDATES["x.terms"]], call=_candidates,
           beside=_beside("x.terms", _CANDIDATES), shapes=(of_table,)),
    Reader(name="resolved", file="x.nouns.resolved", seeds=[*made(_write_resolved).values()], call=_resolved,
           seal=sealed),
    Reader(name="plan", file=state.PLAN_NAME, seeds=[msgspec.json.encode(_PLAN)], call=_plan, shapes=(of_json,)),
    Reader(name="settings", file=candidates.SETTINGS_NAME, seeds=[msgspec.json.encode(_SETTINGS)], call=_claim,
           shapes=(of_json,)),
    Reader(name="failure", file="x.failed", seeds=[json.dumps({"fingerprint": "x", "reason": "y"}).encode()],
           call=_failed, shapes=(of_json,)),
    Reader(name="distilled", file=schema.DISTILLED_NAME, seeds=[distilled.to_bytes(_WEIGHTS, _TAUGHT)],
           call=lambda file, _out: distilled.read(str(file)).weights.of("0", [["dog"]]), shapes=(of_table,)),
)  # fmt: skip
