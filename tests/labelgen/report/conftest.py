"""Small label sets of real synsets, with hostile texts in them, and a browser to look at their reports."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelgen.dictionary.wordnet import wnid_of
from labelgen.meaning.atlas import Atlas, read_atlas
from labelshards import schema
from labelshards.vocabulary import Vocabulary
from tests import labelset_factory
from tests.labelset_factory import Item

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> {{data}} dog"

Row = tuple[str, str, int]
ANIMALS: tuple[Row, ...] = (
    ("person.n.01", "nouns", 40),
    ("dog.n.01", "nouns", 30),
    ("cat.n.01", "nouns", 22),
    ("puppy.n.01", "nouns", 12),
    ("stock.n.01", "nouns", 9),
    ("run.v.01", "actions", 8),
    ("car.n.01", "nouns", 7),
    ("red.s.01", "attributes", 6),
    ("red.s.01+car.n.01", "compounds", 5),
    ("london.n.01", "nouns", 4),
    ("chair.n.01", "nouns", 3),
    ("sofa.n.01", "nouns", 2),
    ("bed.n.01", "nouns", 1),
)
OTHERS: tuple[Row, ...] = (("dog.n.01", "nouns", 50), ("bird.n.01", "nouns", 20), ("time.n.01", "nouns", 10))


@pytest.fixture(scope="session")
def atlas() -> Atlas:
    return read_atlas()


@pytest.fixture(scope="session")
def write_real(atlas: Atlas) -> Callable[..., Path]:
    """`write_real(folder, rows)`: a label set of these synsets, with pictures, captions, terms and pairs."""

    def write(folder: Path, rows: Sequence[Row], *, pictures: bool = True, caption: str = HOSTILE) -> Path:
        words = vocabulary(atlas, rows)
        items = [
            Item(
                key=f"{number:04d}",
                labels=[class_id for class_id, (_, _, support) in enumerate(rows) if number < support],
                image=labelset_factory.picture((200, 30 * (number % 8), 60), seed=number) if pictures else None,
                captions=[caption, "another one"],
            )
            for number in range(max((support for _, _, support in rows), default=0) + 5)
        ]
        return labelset_factory.write_label_set(
            folder, [items], num_classes=len(rows), words=words, tables=tables(words, caption)
        )

    return write


def vocabulary(atlas: Atlas, rows: Sequence[Row]) -> Vocabulary:
    columns: dict[str, list[object]] = {name: [] for name in schema.VOCABULARY.names}
    for class_id, (synset, family, support) in enumerate(rows):
        places = [place for part in synset.split("+") if (place := atlas.place_of(part)) is not None]
        assert len(places) == synset.count("+") + 1, f"{synset} is in WordNet"
        lemmas = atlas.lemmas[places[-1]].as_py()
        cells = {
            "class_id": class_id,
            "family": family,
            "wnid": "+".join(wnid_of(int(atlas.ids[place])) for place in places),
            "synset": synset,
            "lemmas": lemmas if len(places) == 1 else [f"red {lemma}" for lemma in lemmas],
            "gloss": " + ".join(atlas.glosses[place].as_py() for place in places),
            "lexname": atlas.lexnames[places[-1]].as_py(),
            "support": support,
        }
        for name, value in cells.items():
            columns[name].append(value)
    return Vocabulary(pa.table(columns, schema.VOCABULARY))


def tables(words: Vocabulary, caption: str) -> dict[str, pa.Table]:
    """The first lemmas as terms, and all pairs, which the factory's samples have as often as the rarer class."""
    examples = [
        {"class_id": class_id, "term": lemma.lower(), "count": int(words.support[class_id]), "captions": [caption]}
        for class_id, lemmas in enumerate(words.lemmas)
        for lemma in lemmas[:1]
    ]
    a, b = np.triu_indices(len(words), 1)
    pairs = [pa.array(a, pa.uint32()), pa.array(b, pa.uint32()), pa.array(words.support[b])]
    return {
        schema.EXAMPLES_NAME: pa.Table.from_pylist(examples, schema.EXAMPLES),
        schema.COOCCURRENCE_NAME: pa.table(pairs, schema.COOCCURRENCE),
    }


@pytest.fixture(scope="session")
def animals(write_real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen classes of all families, one of them money; every caption is hostile, and so is the folder's name."""
    return write_real(tmp_path_factory.mktemp("a") / "<i>&amp; animals", ANIMALS)


@pytest.fixture(scope="session")
def others(write_real: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, one of them the animals', without pictures."""
    return write_real(tmp_path_factory.mktemp("b") / "others", OTHERS, pictures=False)
