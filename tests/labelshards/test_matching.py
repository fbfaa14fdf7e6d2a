import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labelshards import schema
from labelshards.matching import EXACT, NONE, SYNONYM, Match, match_names
from labelshards.vocabulary import Vocabulary

# (ImageNet id, synset, its words), most frequent first.
ROWS = [
    ("n02958343", "car.n.01", ["car", "auto", "automobile"]),
    ("n03126707", "crane.n.04", ["crane"]),
    ("a00381097+n02958343", "red car", ["red car"]),
    ("n02012849", "crane.n.05", ["crane"]),
    ("n02835271", "bicycle-built-for-two.n.01", ["bicycle-built-for-two", "tandem_bicycle"]),
    ("n02951358", "canoe.n.01", ["canoe", "auto"]),
]
VOCABULARY = Vocabulary(
    pa.table(
        {
            "class_id": pa.array(range(len(ROWS)), pa.uint32()),
            "family": [schema.COMPOUNDS if "+" in wnid else schema.NOUNS for wnid, *_ in ROWS],
            "wnid": [wnid for wnid, *_ in ROWS],
            "synset": [synset for _, synset, _ in ROWS],
            "lemmas": [lemmas for *_, lemmas in ROWS],
            "gloss": [""] * len(ROWS),
            "lexname": ["noun.artifact"] * len(ROWS),
            "support": pa.array(range(len(ROWS), 0, -1), pa.int64()),
        },
        schema=schema.VOCABULARY,
    )
)


def kinds(*names: str) -> list[tuple[str, list[int]]]:
    return [(match.kind, match.class_ids) for match in match_names(names, VOCABULARY)]


def test_match_names__ids_then_names_then_synonyms() -> None:
    assert kinds("n02012849", "crane.n.05", "Car", "automobile", "tandem bicycle", "Tandem_Bicycle", "nothing") == [
        (EXACT, [3]), (EXACT, [3]), (EXACT, [0]), (SYNONYM, [0]), (SYNONYM, [4]), (SYNONYM, [4]), (NONE, []),
    ]  # fmt: skip


def test_match_names__of_several_the_most_frequent() -> None:
    assert kinds("crane", "auto") == [(EXACT, [1]), (SYNONYM, [0])]


def test_match_names__commas_part_names_and_pairs_have_their_own() -> None:
    assert kinds("whatever, automobile", "red car") == [(SYNONYM, [0]), (EXACT, [2])]


def test_match_names__no_classes() -> None:
    assert match_names([], VOCABULARY) == []
    assert match_names(["", ",", "n"], VOCABULARY) == [Match(name=name) for name in ("", ",", "n")]


@given(st.lists(st.text(max_size=12) | st.sampled_from([word for *_, words in ROWS for word in words])))
def test_match_names__one_for_each_in_order(names: list[str]) -> None:
    found = match_names(names, VOCABULARY)
    assert [match.name for match in found] == names
    for match in found:
        assert (match.kind == NONE) == (match.class_ids == []) == (match.similarity == 0)
        assert match.synsets == [VOCABULARY.synsets[each] for each in match.class_ids]
