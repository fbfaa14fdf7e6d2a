"""A table that learnt from real captions, once for all tests of this folder."""

from pathlib import Path

import pytest

from labelgen.distill import table, teach
from labelgen.distill.labeler import Distilled
from labelgen.distill.table import Table
from labelgen.lexicon import Lexicon
from labelgen.nouns import ChunkParser

NUM_TAUGHT = 1_500


@pytest.fixture(scope="session")
def captions(test_data: Path) -> list[str]:
    """Clean captions: web alt-texts, those with odd characters first, and some that are hard to read."""
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()
    texts = [line.partition("\t")[0] for line in lines]
    odd = ["A t-shirt and roller-skates.", "Polar Bear On The Ice", "DOG", "- a man-eating 12-year-old lion", "x", "of"]
    odd += [
        "birds of prey and a lily of the valley",
        "Caf\u00e9 cr\u00e8me br\u00fbl\u00e9e",
        "it's 3.5 km; don\u2019t",
        "\u4f60\u597d dog",
    ]
    return odd + sorted(texts, key=str.isascii)[:200] + texts[:NUM_TAUGHT]


@pytest.fixture(scope="session")
def learnt(captions: list[str], lexicon: Lexicon, chunk_parser: ChunkParser) -> bytes:
    """The file of a small table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teach, "ChunkParser", lambda _model: chunk_parser)
        return teach.teach(captions, lexicon, "the loaded one", "a test")


@pytest.fixture(scope="session")
def small_table(learnt: bytes) -> Table:
    return table.from_bytes(learnt, "here")


@pytest.fixture
def labeler(lexicon: Lexicon, small_table: Table) -> Distilled:
    """Without memory of other tests."""
    return Distilled(lexicon, small_table.weights)
