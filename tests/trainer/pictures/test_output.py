"""Rows of pictures on disk: whatever happens on the way, each picture has one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, picture
from tests.picture_tars import write_tars
from trainer import load_encoder
from trainer.embedding import embedding
from trainer.encoders import models
from trainer.encoders.encoder import Encoder
from trainer.pictures import output, units, work
from trainer.pictures.finding import find
from trainer.pictures.summary import Summary
from trainer.pictures.units import cut


@pytest.fixture(scope="module")
def encoder(trained: Path) -> Encoder:
    return load_encoder(trained)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (units, work):
        monkeypatch.setattr(module, "PICTURES_PER_PART", 8)
    monkeypatch.setattr(work, "_BATCH_SIZE", 3)


Pass = Callable[..., tuple[Summary, bool]]


@pytest.fixture
def go_over(encoder: Encoder) -> Pass:
    def run(
        out: Path | str, *words: object, report: Callable[[int, int], None] = lambda _b, _p: None
    ) -> tuple[Summary, bool]:
        found = cut(find([str(word) for word in words], lambda: b"").sources, {})
        return output.write(embedding(encoder), found, str(out), "tiny", report)

    return run


def keys(out: Path | str) -> list[str]:
    return [f"{row['source']}/{row['key']}" for table in output.tables(str(out)) for row in table.to_pylist()]


def test_write__features_are_those_of_the_encoder(encoder: Encoder, go_over: Pass, tmp_path: Path) -> None:
    tars = write_tars(tmp_path / "tars", 2, 10)
    summary, is_new = go_over(tmp_path / "f.parquet", tars)
    assert (summary.pictures, summary.problems, summary.damaged, is_new) == (20, {}, {}, True)
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.schema.field("features").type == pa.list_(pa.float16(), 32)
    assert table["key"].to_pylist() == [f"{tar:03d}{number:04d}" for tar in range(2) for number in range(10)]
    x_CHW = encoder.picture(picture(COLOURS[4], size=(12, 10)))
    with torch.inference_mode():
        [expected_D] = models.features(encoder.model, x_CHW[None]).numpy()
    np.testing.assert_allclose(np.array(table["features"][14].as_py()), expected_D, atol=2e-3)
    row = table.slice(3, 1).to_pylist()[0]
    data = Path(row["source"]).read_bytes()[row["offset"] : row["offset"] + row["size"]]
    assert data == picture(COLOURS[3], size=(12, 10)), "offset and size say where the bytes lie"


@pytest.mark.parametrize("name", ["f.parquet", "features"])
def test_write__goes_on_where_it_was_interrupted(name: str, go_over: Pass, tmp_path: Path) -> None:
    tars = write_tars(tmp_path / "tars", 3, 20)
    go_over(tmp_path / "undisturbed.parquet", tars)
    told: list[int] = []

    def interrupt(_bytes: int, pictures: int) -> None:
        told.append(pictures)
        if pictures > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_over(tmp_path / name, tars, report=interrupt)
    assert output.read_summary(str(tmp_path / name)) is None
    told.clear()
    summary, is_new = go_over(tmp_path / name, tars, report=lambda _bytes, pictures: told.append(pictures))
    assert is_new
    assert max(told) == 60 - 28, "a tar of 20 has parts of 8, 8 and 4; those that were whole are kept"
    assert summary.pictures == 60
    assert keys(tmp_path / name) == keys(tmp_path / "undisturbed.parquet")
    assert len(set(keys(tmp_path / name))) == 60
    assert go_over(tmp_path / name, tars) == (summary, False)
    assert not (tmp_path / "f.parquet.parts").exists()


def test_write__a_folder_is_read_by_those_who_read_folders(go_over: Pass, tmp_path: Path) -> None:
    go_over(tmp_path / "out", write_tars(tmp_path / "tars", 2, 10))
    assert pq.read_table(tmp_path / "out").num_rows == 20
    assert json.loads((tmp_path / "out/_summary.json").read_bytes())["pictures"] == 20


def test_write__a_folder_may_grow(go_over: Pass, tmp_path: Path) -> None:
    first, second = write_tars(tmp_path / "a", 1, 10), write_tars(tmp_path / "b", 1, 5)
    go_over(tmp_path / "out", first)
    told: list[int] = []
    summary, _ = go_over(tmp_path / "out", first, second, report=lambda _bytes, pictures: told.append(pictures))
    assert (summary.pictures, max(told)) == (15, 5)


def test_write__in_a_store(go_over: Pass, tmp_path: Path) -> None:
    tars = write_tars(tmp_path / "tars", 2, 10)
    summary, _ = go_over("memory://out", tars)
    assert go_over("memory://out", tars) == (summary, False)
    assert len(set(keys("memory://out"))) == 20
    with pytest.raises(CatlipError, match="Take a folder: --out memory://one"):
        go_over("memory://one.parquet", tars)


@pytest.mark.parametrize("name", ["f.parquet", "features"])
def test_write__other_pictures_are_refused(name: str, go_over: Pass, tmp_path: Path) -> None:
    first, second = write_tars(tmp_path / "a", 1, 10), write_tars(tmp_path / "b", 1, 5)
    go_over(tmp_path / name, first)
    before = keys(tmp_path / name)
    with pytest.raises(CatlipError, match="of other pictures"):
        go_over(tmp_path / name, second)
    assert keys(tmp_path / name) == before


def test_write__parts_of_others_are_left_alone(go_over: Pass, tmp_path: Path) -> None:
    first, second = write_tars(tmp_path / "a", 2, 10), write_tars(tmp_path / "b", 1, 5)

    def interrupt(_bytes: int, pictures: int) -> None:
        if pictures > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_over(tmp_path / "f.parquet", first, report=interrupt)
    with pytest.raises(CatlipError, match="Give the earlier command again"):
        go_over(tmp_path / "f.parquet", second)
    assert go_over(tmp_path / "f.parquet", first)[0].pictures == 20


def test_write__a_file_of_somebody_else_is_not_written_over(go_over: Pass, tmp_path: Path) -> None:
    tars = write_tars(tmp_path / "tars", 1, 2)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "f.parquet")
    with pytest.raises(CatlipError, match="was not written by this catlip"):
        go_over(tmp_path / "f.parquet", tars)
    (tmp_path / "g.parquet").write_bytes(b"no Parquet")
    with pytest.raises(CatlipError, match="was not written by this catlip"):
        go_over(tmp_path / "g.parquet", tars)
    assert (tmp_path / "g.parquet").read_bytes() == b"no Parquet"


def test_write__bad_pictures_have_rows_and_reasons(
    go_over: Pass, tmp_path: Path, write_tar: Callable[..., Path]
) -> None:
    red = picture(COLOURS[0])
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_tar(pictures / "a.tar", [("1.jpg", red), ("2.jpg", red[: len(red) // 2]), ("3.png", b"text"), ("1.jpg", red)])
    write_tar(pictures / "empty.tar", [])
    write_tar(pictures / "short.tar", [("1.jpg", red), ("2.jpg", red)])
    os.truncate(pictures / "short.tar", 1536 + len(red))
    (pictures / "loose.jpg").write_bytes(red)
    summary, _ = go_over(tmp_path / "f.parquet", pictures)
    assert summary.problems == {"damaged": 1, "no known format": 1, "same key again": 1}
    assert list(summary.damaged) == [str(pictures / "short.tar")]
    rows = pq.read_table(tmp_path / "f.parquet").to_pylist()
    found = {(Path(row["source"]).name, row["key"]): row["problem"] for row in rows if row["problem"] != units.TWICE}
    assert found == {
        ("a.tar", "1"): None, ("a.tar", "2"): "damaged", ("a.tar", "3"): "no known format",
        ("short.tar", "1"): None, ("pictures", "loose.jpg"): None,
    }  # fmt: skip
    assert all((row["features"] is None) == (row["problem"] is not None) for row in rows)


def test_write__what_vanishes_meanwhile_is_told(encoder: Encoder, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(picture(COLOURS[0]))
    found = cut(find([str(tmp_path)], lambda: b"").sources, {})
    (tmp_path / "b.jpg").unlink()
    summary, _ = output.write(embedding(encoder), found, str(tmp_path / "f.parquet"), "tiny", lambda _b, _p: None)
    assert summary.problems == {"cannot be opened": 1}


@pytest.mark.parametrize("name", ["f.parquet", "features"])
def test_write__all_bad_is_an_error(name: str, go_over: Pass, tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(CatlipError, match="No picture could be read: 1 no known format"):
        go_over(tmp_path / name, tmp_path / "a.jpg")
    assert output.read_summary(str(tmp_path / name)) is None
    (tmp_path / "b.tar").write_bytes(b"no tar")
    with pytest.raises(CatlipError, match=r"No picture was found: .*b\.tar is not a whole tar"):
        go_over(tmp_path / f"other-{name}", tmp_path / "b.tar")
