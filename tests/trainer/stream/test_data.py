from pathlib import Path

from labelshards.labelset import LabelSet
from tests.labelset_factory import Item, picture, write_label_set
from trainer.stream.data import class_prior


def test_class_prior__is_support_by_samples(tmp_path: Path) -> None:
    image = picture((1, 2, 3))
    rows = [Item(key=str(n), labels=labels, image=image) for n, labels in enumerate([[0, 1], [0], [], []])]
    label_set = LabelSet.open(str(write_label_set(tmp_path, [rows], num_classes=2)))
    assert class_prior([label_set], [7], labelled_only=False).tolist() == [0.5, 0.25]
    assert class_prior([label_set], [7], labelled_only=True).tolist() == [1.0, 0.5]
