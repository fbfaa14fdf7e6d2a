"""CoreNet's pickled vocabulary: what is taken over, and what is refused before it can do anything."""

import collections
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelgen import candidates
from labelgen.classes.corenet_vocabulary import import_corenet, read_pickle
from labelgen.classes.export import export
from labelgen.meaning.atlas import Atlas
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.verify import verify

GOOD = {"n2084071": 30, "n7846": 900, "n2958343": 30, "n2121620": 40}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], str]:
    def to_file(data: bytes) -> str:
        (tmp_path / "vocab.pkl").write_bytes(data)
        return str(tmp_path / "vocab.pkl")

    return to_file


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_read_pickle__every_protocol(protocol: int, write: Callable[[bytes], str]) -> None:
    found = read_pickle(write(pickle.dumps(GOOD, protocol)))
    assert list(found.items()) == list(GOOD.items())


def test_read_pickle__large_one(write: Callable[[bytes], str]) -> None:
    many = {f"n{number}": number * 10**9 for number in range(30_000)}
    assert read_pickle(write(pickle.dumps(many))) == many


class Hostile:
    def __init__(self, *call: Any) -> None:  # noqa: ANN401
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


MARK = Path("/tmp/catlip-was-hacked")


# A dict whose key is a tuple of little size that takes for ever to hash: each holds the one before twice.
SLOW_TO_HASH = b"\x80\x04})" + 60 * b"2\x86" + b"K\x01s."


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pickle.dumps({"n7846": Hostile(os.system, (f"touch {MARK}",))}), "refused"),
        (pickle.dumps(Hostile(eval, (f"open({str(MARK)!r}, 'w')",))), "refused"),
        (pickle.dumps(Hostile(eval, ("1",)), 0), "refused"),
        (b"cos\nsystem\n(S'true'\ntR.", "refused.*it uses GLOBAL"),
        (b"(S'true'\nios\nsystem\n.", "refused.*it uses INST"),
        (b"\x82\x01.", "refused.*it uses EXT1"),
        (b"P7\n.", "refused.*it uses PERSID"),
        (pickle.dumps(collections.Counter(GOOD)), "refused"),
        (pickle.dumps(collections.OrderedDict(GOOD)), "refused"),
        (SLOW_TO_HASH, "refused.*it uses EMPTY_TUPLE"),
        (pickle.dumps({"n7846": [1]}), "refused.*it uses EMPTY_LIST"),
        (pickle.dumps({"n7846": 1.5}), "refused.*it uses BINFLOAT"),
        (pickle.dumps({"n7846": True}), "refused.*it uses NEWTRUE"),
        (pickle.dumps({"n7846": None}), "refused.*it uses NONE"),
        (pickle.dumps({"n7846": {}}), "has for n7846 what is no count"),
        (pickle.dumps({"n7846": "many"}), "has for n7846 what is no count"),
        (pickle.dumps({"n7846": -1}), "has for n7846 what is no count"),
        (pickle.dumps({"n7846": 10**1000}), "has for n7846 what is no count|refused"),
        (pickle.dumps({7846: 1}), "has a key of type int"),
        (pickle.dumps({"dog": 1}), "has a key 'dog'"),
        (pickle.dumps({"n123456789": 1}), "has a key 'n123456789'"),
        (pickle.dumps({"n" + "7" * 10**6: 1}), "has a key 'n7777"),
        (pickle.dumps({}), "holds nothing"),
        (pickle.dumps("n7846"), "holds no dict"),
        (pickle.dumps(GOOD)[:-20], "refused"),
        (b"", "refused"),
        (b"n7846,30\n", "refused"),
        (b"\x80\x04}r" + struct.pack("<I", 2**32 - 1) + b".", "asks for more memory"),
        (b"}p2147483000\n.", "asks for more memory"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.", "refused"),
    ],
)
def test_read_pickle__refuses(data: bytes, said: str, write: Callable[[bytes], str]) -> None:
    MARK.unlink(missing_ok=True)
    with pytest.raises(CatlipError, match=said):
        read_pickle(write(data))
    assert not MARK.exists()


def test_import_corenet__class_ids_are_those_of_its_heads(
    write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas
) -> None:
    out = str(tmp_path / "corenet")
    import_corenet(write(pickle.dumps(GOOD)), out, atlas)
    label_set = LabelSet.open(out)
    vocab = label_set.vocabulary
    assert vocab.synsets == ["person.n.01", "cat.n.01", "dog.n.01", "car.n.01"]  # equal counts as in the file
    assert vocab.support.tolist() == [900, 40, 30, 30]
    assert vocab.wnids[2] == "n02084071"
    assert vocab.lemmas[2][0] == "dog"
    assert vocab.glosses[2].startswith("a member of the genus Canis")
    assert label_set.manifest.totals.samples == 0
    assert verify(out).wrong == []


def test_import_corenet__round_trip(write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas) -> None:
    label_set = import_corenet(write(pickle.dumps(GOOD)), str(tmp_path / "a"), atlas)
    again = import_corenet(write(export(label_set, "corenet")), str(tmp_path / "b"), atlas)
    assert again.vocabulary.digest == label_set.vocabulary.digest
    assert again.vocabulary.support.tolist() == label_set.vocabulary.support.tolist()


def test_import_corenet__cut(write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas) -> None:
    found = import_corenet(write(pickle.dumps(GOOD)), str(tmp_path / "cut"), atlas, max_classes=2)
    assert found.vocabulary.synsets == ["person.n.01", "cat.n.01"]


def test_import_corenet__labels_other_captions(
    write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas, build_labels: Callable[..., str]
) -> None:
    out = str(tmp_path / "corenet")
    import_corenet(write(pickle.dumps(GOOD)), out, atlas)
    folder = build_labels(tmp_path / "mine", ["a dog in a car", "a tree"], vocabulary_from=out)
    assert LabelSet.open(folder).read_shard(0).values.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"n7846": 1, "n7847": 1}, r"no nouns at 1 of 2 keys \(n7847\)"),
        ({"n7846": 1, "n07846": 1}, "mean the same synset"),
    ],
)
def test_import_corenet__other_wordnet(
    counts: dict[str, int], said: str, write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas
) -> None:
    with pytest.raises(CatlipError, match=said):
        import_corenet(write(pickle.dumps(counts)), str(tmp_path / "out"), atlas)
    assert not (tmp_path / "out").exists()


def test_import_corenet__folder_with_other_files(write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas) -> None:
    with pytest.raises(CatlipError, match="holds other files"):
        import_corenet(write(pickle.dumps(GOOD)), str(tmp_path), atlas)


def test_import_corenet__what_was_built_is_not_lost(
    write: Callable[[bytes], str], tmp_path: Path, atlas: Atlas, build_labels: Callable[..., str]
) -> None:
    pickled = write(pickle.dumps(GOOD))
    built = build_labels(tmp_path / "mine", ["a dog", "a tree"], threshold=0)
    with pytest.raises(CatlipError, match=r"was made by `catlip labels build`, and would be lost"):
        import_corenet(pickled, built, atlas)
    storage.remove(candidates.folder_of(built))
    with pytest.raises(CatlipError, match="is a label set of other data"):
        import_corenet(pickled, built, atlas)
    assert verify(built).wrong == []
    out = str(tmp_path / "corenet")
    import_corenet(pickled, out, atlas)
    assert len(import_corenet(pickled, out, atlas, max_classes=1).vocabulary) == 1
