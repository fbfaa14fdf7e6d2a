"""Checkpoints, exported folders and results that say what is not so."""

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from labelshards import parquet, storage
from labelshards.errors import CatlipError
from tests.attack.models import READERS
from tests.labelset_factory import vocabulary
from tests.trainer.corenet.reference import random_state
from trainer import load_encoder, run
from trainer.corenet.imported import open_checkpoint
from trainer.pictures import output
from trainer.probes import compare, results
from trainer.probes.tables import FeatureTable, held
from trainer.tagging.calibration import read_thresholds

GIVEN = {reader.name: reader for reader in READERS}
WORDS = vocabulary(3)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("cls_token", torch.tensor(1.0)),
        ("cls_token", torch.zeros(1, 1, 0)),
        ("classifier.weight", torch.tensor(1.0)),
        ("pos_embed.pos_embed.pos_embed", torch.tensor(1.0)),
        ("pos_embed.pos_embed.pos_embed", torch.zeros(1, 1, 0, 64)),
        ("pos_embed.pos_embed.pos_embed", torch.zeros(196, 64)),
        ("transformer.7.pre_norm_mha.0.weight", torch.zeros(64)),
        ("patch_emb.0.block.conv.weight", torch.zeros(3)),
    ],
)
def test_open_checkpoint__of_other_shapes_is_one_line(tmp_path: Path, name: str, tensor: torch.Tensor) -> None:
    torch.save({**random_state(64, 1, 3), name: tensor}, tmp_path / "vit.pt")
    with pytest.raises(CatlipError) as refused:
        open_checkpoint(tmp_path / "vit.pt", image_size=64, name_classes=lambda _: WORDS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "tensor",
    [torch.zeros(1, 64).expand(10**9, 64), torch.zeros(3, 64).to_sparse(), torch.zeros(3, 64, device="meta"), [1.0]],
)
@pytest.mark.filterwarnings("ignore:Validating sparse")
def test_open_checkpoint__tensors_that_are_not_in_the_file_are_one_line(tmp_path: Path, tensor: Any) -> None:  # noqa: ANN401
    torch.save({**random_state(64, 1, 3), "classifier.weight": tensor}, tmp_path / "vit.pt")
    with pytest.raises(CatlipError, match="holds more than weights by name"):
        open_checkpoint(tmp_path / "vit.pt", image_size=64)


@pytest.mark.parametrize("key", [7, (1, 2), b"x"])
def test_open_checkpoint__names_that_are_none(tmp_path: Path, key: Any) -> None:  # noqa: ANN401
    torch.save({**random_state(64, 1, 3), key: torch.zeros(1)}, tmp_path / "vit.pt")
    with pytest.raises(CatlipError, match="holds more than weights by name"):
        open_checkpoint(tmp_path / "vit.pt", image_size=64)


def test_open_checkpoint__a_zip_that_leads_nowhere_is_one_line(tmp_path: Path) -> None:
    """torch seeks to places before the file, which is an OSError of no file."""
    whole = GIVEN["corenet-checkpoint"].seeds[0]
    for cut in range(1, 60, 7):
        (tmp_path / "vit.pt").write_bytes(whole[: -cut * 50])
        with pytest.raises(CatlipError, match="nothing in it was run"):
            open_checkpoint(tmp_path / "vit.pt", image_size=64)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": ["a", 1, 1]}, {"std": [0, 1, 1]}, {"std": [1, 1]}, {"mean": [1e999, 0, 0]}, {"input_size": 7},
        {"crop_pct": "x"}, {"input_size": None},
    ],
)  # fmt: skip
def test_load_encoder__a_folder_whose_pictures_cannot_be_is_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    given = GIVEN["exported-config"]
    for name, data in given.beside.items():
        (tmp_path / name).write_bytes(data)
    content = json.loads(given.seeds[0])
    content["pretrained_cfg"] |= change
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(CatlipError) as refused:
        load_encoder(tmp_path)
    assert "\n" not in str(refused.value)


BROKEN = (b"\xff", b'{"a": "\xff"}', b"[" * 100_000, b'{"config": ' + b"[" * 100_000, b"")


@pytest.mark.parametrize("data", BROKEN)
def test_readers__of_what_is_no_json_are_one_line(tmp_path: Path, data: bytes) -> None:
    for name, call in (
        ("run.json", lambda: run.open_run(tmp_path)),
        ("result.json", lambda: results.read(tmp_path / "result.json")),
        ("_summary.json", lambda: output.read_summary(str(tmp_path))),
        ("metrics.jsonl", lambda: run.read_metrics(tmp_path)),
    ):
        (tmp_path / name).write_bytes(data)
        if name == "metrics.jsonl" and not data:
            assert run.read_metrics(tmp_path) == []
            continue
        with pytest.raises(CatlipError, match=name) as refused:
            call()
        assert "\n" not in str(refused.value)


def test_panels__of_results_without_scores_are_one_line() -> None:
    result = msgspec.structs.replace(msgspec.json.decode(GIVEN["result"].seeds[0], type=results.Result), scores=[])
    for metric, expected in ((None, "No result has a score"), ("top1", "no result has it")):
        with pytest.raises(CatlipError, match=expected):
            compare.panels(compare.group([result]), metric)


def test_read_thresholds__of_other_types_lengths_or_none_are_one_line(tmp_path: Path) -> None:
    whole = parquet.read_table(GIVEN["thresholds"].seeds[0])
    where = str(tmp_path / "thresholds.parquet")
    for column in (["a", "b", "c"], [None, 0.5, 0.5]):
        table = whole.set_column(2, "threshold", [column])
        storage.write_bytes(where, parquet.to_bytes(table, whole.schema.metadata))
        with pytest.raises(CatlipError, match="thresholds"):
            read_thresholds(where, WORDS)
    storage.write_bytes(where, parquet.to_bytes(whole.slice(1), whole.schema.metadata))
    with pytest.raises(CatlipError, match="lacks thresholds of some classes"):
        read_thresholds(where, WORDS)
    storage.write_bytes(where, GIVEN["thresholds"].seeds[0][:-300] + bytes(300))
    with pytest.raises(CatlipError, match="holds no thresholds"):
        read_thresholds(where, WORDS)


def test_feature_table__a_header_that_is_no_python_begins_anew(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.ones((3, 4), np.float16))
    np.save(tmp_path / "f.status.npy", np.ones(3, np.int8))
    whole = (tmp_path / "f.npy").read_bytes()
    assert FeatureTable.open(tmp_path / "f", 3).is_complete
    for old, new in (
        (b"{'descr'", b"{'descr("), (b"(3, 4)", b"(3,-4)"), (b"(3, 4)", b"3     "), (b"<f2", b"|O8"), (b"<f2", b"<i2"),
    ):  # fmt: skip
        (tmp_path / "f.npy").write_bytes(whole.replace(old, new))
        assert FeatureTable.open(tmp_path / "f", 3).num_done == 0
    (tmp_path / "f.npy").write_bytes(whole)
    for old, new in ((b"'|i1'", b"'|i,'"), (b"|i1", b"|u1")):  # the first is a record with a field that has no name
        status = (tmp_path / "f.status.npy").read_bytes()
        (tmp_path / "f.status.npy").write_bytes(status.replace(old, new))
        assert FeatureTable.open(tmp_path / "f", 3).num_done == 0
        (tmp_path / "f.status.npy").write_bytes(status)
    assert FeatureTable.open(tmp_path / "f", 3).is_complete


def test_feature_table__a_file_does_not_grow_to_what_its_header_says(tmp_path: Path) -> None:
    """Found by fuzzing: mapped for writing, it does."""
    for name, array in (("f.npy", np.ones((3, 4), np.float16)), ("f.status.npy", np.ones(3, np.int8))):
        np.save(tmp_path / "f.npy", np.ones((3, 4), np.float16))
        np.save(tmp_path / "f.status.npy", np.ones(3, np.int8))
        claimed = io.BytesIO()
        np.save(claimed, np.ones((10**6, *array.shape[1:]), array.dtype))
        (tmp_path / name).write_bytes(claimed.getvalue()[: -array.nbytes])
        sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
        assert FeatureTable.open(tmp_path / "f", 3).num_done == 0
        assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes


def test_held__a_link_in_the_place_of_a_lock_empties_nothing(tmp_path: Path) -> None:
    """A run may come from elsewhere, and a link in it may lead anywhere."""
    precious = tmp_path / "precious.txt"
    precious.write_text("kept")
    (tmp_path / ".lock").symlink_to(precious)
    for hold in (run.writing(tmp_path), held(tmp_path / ".lock"), output._held(str(tmp_path))):
        with hold:
            pass
    assert precious.read_text() == "kept"
