"""The parse before pruning, on disk."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import candidates
from labelgen.mentions.terms import Form, Role
from labelshards.errors import CatlipError
from tests.labelgen.shards import Written, entries_of, examples_of, shard

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
    wanted = written.mentioned()
    read = candidates.read_mentions(folder, "x")
    assert [read.offsets.tolist(), read.values.tolist()] == [wanted.offsets.tolist(), wanted.values.tolist()]
    assert [part.tolist() for part in read.examples] == [part.tolist() for part in wanted.examples]
    for found in (read.entries, candidates.read_entries(folder, "x")):
        assert found.texts == wanted.entries.texts
        assert found.kinds.tolist() == wanted.entries.kinds.tolist()
        assert found.heads.tolist() == wanted.entries.heads.tolist()
    texts = candidates.read_texts(folder, "x")
    entries = entries_of(written.terms)
    assert texts.of(np.arange(len(entries))) == [
        " ".join([term.text] + [entries[head].term.text] * (head >= 0)) for term, head in entries
    ]
    assert candidates.read_captions(folder, "x").to_pylist() == [
        [told.caption for told in examples] for examples in examples_of(written.terms)
    ]
    samples = candidates.read_samples(folder, "x")
    assert samples.keys.to_pylist() == written.keys.to_pylist()
    assert samples.images.to_pylist() == written.images.to_pylist()
    assert samples.captions is None
    assert samples.report == written.report == candidates.read_report(folder, "x")


def test_mentioned__of_a_slice() -> None:
    whole = shard([["dog"], ["cat", "dog"], [], ["bird"]])
    found = whole.mentioned()
    assert (found.offsets.tolist(), found.values.tolist()) == ([0, 1, 3, 3, 4], [0, 0, 1, 2])
    assert [found.first(2).offsets.tolist(), found.first(2).values.tolist()] == [[0, 1, 3], [0, 0, 1]]
    assert found.first(9).values.tolist() == found.values.tolist()
    part = candidates.CandidateShard(
        keys=whole.keys.slice(1),
        mentions=whole.mentions.slice(1),
        images=whole.images.slice(1),
        captions=pa.array([[], [], []], pa.list_(pa.string())),
        terms=whole.terms,
        report=whole.report,
    )
    found = part.mentioned()
    assert (found.offsets.tolist(), found.values.tolist()) == ([0, 2, 2, 3], [0, 1, 2])


@pytest.mark.parametrize("name", ["x.parquet", "x.terms"])
@pytest.mark.parametrize("content", [None, b"", b"no parquet at all"])
def test_read__gone_or_broken(tmp_path: Path, name: str, content: bytes | None) -> None:
    candidates.write(str(tmp_path), "x", shard([["dog"]]))
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CatlipError, match=rf"{name} cannot be read .*--rebuild"):
        candidates.read_mentions(str(tmp_path), "x")
    assert (candidates.read_report(str(tmp_path), "x") is None) == (name == "x.parquet")
