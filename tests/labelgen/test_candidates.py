"""The parse before pruning, on disk."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import candidates
from labelgen.terms import Form, Role
from labelshards.errors import CatlipError
from tests.labelgen.shards import Written, shard

TEXTS = st.builds(
    "{}:{}:{}".format, st.sampled_from(["dog", "t-shirt", "bird of prey", "狗", "é"]), st.sampled_from(Role),
    st.sampled_from(Form),
)  # fmt: skip
SHARDS = st.lists(st.lists(st.one_of(TEXTS, st.tuples(TEXTS, TEXTS)), max_size=5), max_size=5)


@given(rows=SHARDS)
def test_write__and_read(tmp_path_factory: pytest.TempPathFactory, rows: Sequence[Sequence[Written]]) -> None:
    folder = str(tmp_path_factory.getbasetemp() / "candidates")
    written = shard(rows)
    candidates.write(folder, "x", written)
    read = candidates.read(folder, "x")
    assert read.entries == written.entries == candidates.read_entries(folder, "x")
    assert read.examples == written.examples
    assert read.mentions.to_pylist() == written.mentions.to_pylist()
    assert read.keys.to_pylist() == written.keys.to_pylist()
    assert read.report == written.report == candidates.read_report(folder, "x")
    assert read.captions is None
    assert [part.tolist() for part in read.rows()] == [part.tolist() for part in written.rows()]


def test_rows__of_a_slice() -> None:
    whole = shard([["dog"], ["cat", "dog"], [], ["bird"]])
    offsets, entries = whole.rows()
    assert (offsets.tolist(), entries.tolist()) == ([0, 1, 3, 3, 4], [0, 0, 1, 2])
    part = candidates.CandidateShard(
        keys=whole.keys.slice(1),
        mentions=whole.mentions.slice(1),
        images=whole.images.slice(1),
        captions=pa.array([[], [], []], pa.list_(pa.string())),
        entries=whole.entries,
        examples=whole.examples,
        report=whole.report,
    )
    offsets, entries = part.rows()
    assert (offsets.tolist(), entries.tolist()) == ([0, 2, 2, 3], [0, 1, 2])


@pytest.mark.parametrize("name", ["x.parquet", "x.terms"])
@pytest.mark.parametrize("content", [None, b"", b"no parquet at all"])
def test_read__gone_or_broken(tmp_path: Path, name: str, content: bytes | None) -> None:
    candidates.write(str(tmp_path), "x", shard([["dog"]]))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CatlipError, match=rf"{name} cannot be read .*--rebuild"):
        candidates.read(str(tmp_path), "x")
    assert (candidates.read_report(str(tmp_path), "x") is None) == (name == "x.parquet")
