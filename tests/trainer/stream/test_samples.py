from pathlib import Path

import pytest

from labelshards.errors import LabelSetError
from labelshards.labelset import LabelSet
from tests.labelset_factory import COLOURS, Item, picture, write_label_set
from trainer.stream.samples import Samples

RED = picture(COLOURS[0])


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One shard with every combination of image and labels, one with images throughout, one empty."""
    return write_label_set(
        tmp_path,
        [
            [
                Item(key="both", labels=[0, 2], image=RED, captions=["first", "second"]),
                Item(key="no-labels", image=RED),
                Item(key="no-image", labels=[1], image=None),
                Item(key="nothing", image=None),
                Item(key="also-both", labels=[3], image=RED),
            ],
            [Item(key="x", labels=[1], image=RED), Item(key="y", image=RED)],
            [],
        ],
    )


def test_counts__keep_takes_every_image(mixed: Path) -> None:
    assert Samples([LabelSet.open(str(mixed))]).counts()[0].tolist() == [3, 2, 0]


def test_counts__drop_wants_labels_too(mixed: Path) -> None:
    assert Samples([LabelSet.open(str(mixed))], unlabelled="drop").counts()[0].tolist() == [2, 1, 0]


def test_read__gives_bytes_and_labels(mixed: Path) -> None:
    samples = Samples([LabelSet.open(str(mixed))], unlabelled="drop")
    first, second = samples.read(0, 0), samples.read(0, 1)
    assert (first.labels.tolist(), first.image) == ([0, 2], RED)
    assert second.labels.tolist() == [3]
    assert first.labels.dtype == "int64"
    assert samples.name(0, 1) == "00000/also-both"
    assert samples.captions(0, 0) == ["first", "second"]


def test_read__holds_no_more_shards_than_allowed(mixed: Path) -> None:
    samples = Samples([LabelSet.open(str(mixed))], max_shards=1)
    assert [samples.name(shard, 0) for shard in (0, 1, 0)] == ["00000/both", "00001/x", "00000/both"]
    assert len(samples._shards) == 1


def test_captions__empty_where_the_label_set_keeps_none(tmp_path: Path) -> None:
    root = write_label_set(tmp_path, [[Item(key="a", labels=[0], image=RED)]], with_captions=False)
    assert Samples([LabelSet.open(str(root))]).captions(0, 0) == []


def test_samples__a_label_set_without_images_is_refused(tmp_path: Path) -> None:
    root = write_label_set(tmp_path, [[Item(key="a", labels=[0], image=None)]])
    with pytest.raises(LabelSetError, match=r"no images .*catlip labels build"):
        Samples([LabelSet.open(str(root))])


def test_read__a_changed_tar_is_an_error(mixed: Path) -> None:
    tar = mixed.parent / "tars" / "00000.tar"
    tar.write_bytes(tar.read_bytes() + b"\0" * 512)
    with pytest.raises(LabelSetError, match=r"00000\.tar has .* bytes"):
        Samples([LabelSet.open(str(mixed))]).read(0, 0)


def test_read__a_moved_tar_is_found(mixed: Path) -> None:
    old, new = mixed.parent / "tars", mixed.parent / "elsewhere"
    old.rename(new)
    with pytest.raises(LabelSetError, match="--moved"):
        Samples([LabelSet.open(str(mixed))]).read(0, 0)
    assert Samples([LabelSet.open(str(mixed))], moved={str(old): str(new)}).read(0, 0).image == RED


def test_samples__label_sets_are_counted_through(mixed: Path) -> None:
    one = LabelSet.open(str(mixed))
    samples = Samples([one, one])
    assert [each.tolist() for each in samples.counts()] == [[3, 2, 0], [3, 2, 0]]
    assert samples.name(1, 1) == samples.name(4, 1) == "00001/y"
    assert [samples.place(number) for number in range(len(samples))] == [
        (shard, nth) for shard, count in enumerate([3, 2, 0, 3, 2, 0]) for nth in range(count)
    ]
    assert samples.read(3, 0).labels.tolist() == [0, 2]


def test_samples__another_vocabulary_is_refused(mixed: Path, tmp_path: Path) -> None:
    other = write_label_set(tmp_path / "other", [[Item(key="z", labels=[2], image=RED)]], prefix="shade")
    with pytest.raises(LabelSetError, match=r"has another vocabulary than .* --vocabulary"):
        Samples([LabelSet.open(str(mixed)), LabelSet.open(str(other))])
