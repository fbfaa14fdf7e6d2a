from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelshards import parquet, schema
from labelshards.errors import LabelSetError
from labelshards.images import ImageRef
from labelshards.shards import LabelShard, image_rows, labelled_rows
from labelshards.vocabulary import Vocabulary

MakeShard = Callable[..., LabelShard]

LABELS = st.lists(st.sets(st.integers(0, 50), max_size=6).map(sorted), max_size=20)


def reread(shard: LabelShard) -> LabelShard:
    return LabelShard.from_bytes(
        shard.to_bytes("digest"),
        vocabulary_digest="digest",
        with_captions=shard.captions is not None,
        where="x.parquet",
    )


@given(labels=LABELS, text=st.text(st.characters(codec="utf-8")))
@pytest.mark.parametrize("with_captions", [False, True])
def test_to_bytes__round_trip(make_shard: MakeShard, with_captions: bool, labels: list[list[int]], text: str) -> None:
    captions = [[text] * (row % 3) for row in range(len(labels))] if with_captions else None
    shard = make_shard(labels, captions)
    again = reread(shard)
    assert [again.labels(row).tolist() for row in range(len(again))] == labels
    assert again.keys.to_pylist() == shard.keys.to_pylist()
    assert again.images.to_pylist() == shard.images.to_pylist()
    assert again.image_files == shard.image_files
    assert (again.captions.to_pylist() if again.captions is not None else None) == captions
    assert again.offsets.dtype == np.int64
    assert again.values.dtype == np.uint32
    assert again.to_bytes("digest") == shard.to_bytes("digest")


@given(labels=LABELS)
def test_rows__agree_with_plain_python(make_shard: MakeShard, labels: list[list[int]]) -> None:
    shard = make_shard(labels)
    assert labelled_rows(shard).tolist() == [row for row, found in enumerate(labels) if found]
    assert shard.num_labelled == sum(map(bool, labels))
    assert image_rows(shard).tolist() == [row for row in range(len(labels)) if row % 3]


def test_image__where_it_lies(make_shard: MakeShard) -> None:
    shard = reread(make_shard([[], []]))
    assert shard.image(0) is None
    assert shard.image(1) == (shard.image_files[0], ImageRef(0, 512, 1))


@given(labels=LABELS)
def test_check__passes_what_is_sorted_and_unique(make_shard: MakeShard, labels: list[list[int]]) -> None:
    make_shard(labels).check(51, "x")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([[1, 1]], "not sorted and unique"),
        ([[0], [], [3, 2]], "not sorted and unique"),
        ([[2, 1], [5]], "not sorted and unique"),
        ([[0], [7]], "holds class 7; the vocabulary has 7"),
    ],
)
def test_check__refuses(make_shard: MakeShard, labels: list[list[int]], reason: str) -> None:
    with pytest.raises(LabelSetError, match=f"^x .*{reason}"):
        make_shard(labels).check(7, "x")


@given(labels=st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=6))
def test_check__agrees_with_plain_python(make_shard: MakeShard, labels: list[list[int]]) -> None:
    good = all(found == sorted(set(found)) and all(label < 5 for label in found) for found in labels)
    try:
        make_shard(labels).check(5, "x")
    except LabelSetError:
        assert not good, labels
    else:
        assert good


@pytest.mark.parametrize("num_classes", [0, 1, 300])
def test_vocabulary__round_trip(make_vocabulary: Callable[[int], Vocabulary], num_classes: int) -> None:
    vocab = make_vocabulary(num_classes)
    again = Vocabulary.from_bytes(vocab.to_bytes(), "x")
    assert again.table.equals(vocab.table)
    assert again.digest == vocab.digest
    assert len(again) == num_classes


def test_vocabulary__digest_is_of_the_mapping_alone(make_vocabulary: Callable[[int], Vocabulary]) -> None:
    vocab = make_vocabulary(3)

    def altered(name: str, values: pa.Array) -> Vocabulary:
        return Vocabulary(vocab.table.set_column(schema.VOCABULARY.get_field_index(name), name, values))

    same = altered("support", pa.array([9, 9, 9], pa.int64()))
    other = altered("wnid", vocab.table["wnid"].take([1, 0, 2]))
    assert same.digest == vocab.digest
    assert other.digest != vocab.digest


def test_vocabulary__ids_out_of_order(make_vocabulary: Callable[[int], Vocabulary]) -> None:
    data = parquet.to_bytes(make_vocabulary(3).table.take([1, 0, 2]))
    with pytest.raises(LabelSetError, match="class ids are not 0 … K-1 in order"):
        Vocabulary.from_bytes(data, "x")


@pytest.mark.parametrize("column", schema.VOCABULARY.names)
def test_parquet__column_of_another_type(make_vocabulary: Callable[[int], Vocabulary], column: str) -> None:
    table = make_vocabulary(2).table
    place = schema.VOCABULARY.get_field_index(column)
    data = parquet.to_bytes(table.set_column(place, column, pa.array([[{"no": 1}], [{"no": 2}]])))
    with pytest.raises(LabelSetError, match="columns of other types"):
        Vocabulary.from_bytes(data, "x")


def test_parquet__null_where_none_may_be(make_vocabulary: Callable[[int], Vocabulary]) -> None:
    table = make_vocabulary(2).table
    table = table.set_column(schema.VOCABULARY.get_field_index("wnid"), "wnid", pa.array(["n00000001", None]))
    with pytest.raises(LabelSetError, match="columns of other types"):
        Vocabulary.from_bytes(parquet.to_bytes(table), "x")
