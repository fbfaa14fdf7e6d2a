"""A table that learnt from real captions, once for all tests of this folder."""

import pytest

from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill import table, teach
from labelgen.distill.labeler import Distilled
from labelgen.distill.table import Table
from labelgen.parsing.nouns import ChunkParser


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
