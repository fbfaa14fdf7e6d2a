"""Many captions at once give what `TermFinder` gives one by one, whatever was met before."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.fragments import Mender
from labelgen.mentions.parts import Parts
from labelgen.mentions.reader import NONE
from labelgen.mentions.terms import Mention, Role, Term, TermFinder
from labelgen.parsing.nouns import ChunkParser
from labelgen.parsing.parse import Parse, numbered
from tests.labelgen.tagged import salads, tagged

Named = list[tuple[Term, Term | None]]


def one_by_one(finder: TermFinder, parses: Sequence[Parse]) -> list[Named]:
    return [[(each.term, each.of) for each in finder.find(p) if isinstance(each, Mention)] for p in parses]


def at_once(parts: Parts, parses: Sequence[Parse]) -> list[Named]:
    found = parts.mentions(numbered(parses, parts.words))
    numbers = np.arange(1 + max([NONE, *found.terms.tolist()]))
    columns = (names.to_pylist() for names in parts.names(numbers))
    terms = [Term(text, Role(role), form) for text, role, form in zip(*columns, strict=True)]
    assert parts.is_head(numbers).tolist() == [term.role is Role.HEAD for term in terms]
    named: list[Named] = [[] for _ in parses]
    for caption, term, of in zip(*(column.tolist() for column in found), strict=True):
        named[caption].append((terms[term], None if of == NONE else terms[of]))
    return named


@pytest.fixture(scope="module")
def finder(lexicon: Lexicon) -> TermFinder:
    return TermFinder(lexicon)


@pytest.fixture(scope="module")
def mender(lexicon: Lexicon) -> Mender:
    return Mender(lexicon)


@pytest.fixture(scope="module")
def parts(lexicon: Lexicon, chunk_parser: ChunkParser) -> Parts:
    return Parts(chunk_parser, TermFinder(lexicon))


def test_mentions__of_real_captions(
    parts: Parts, finder: TermFinder, chunk_parser: ChunkParser, captions: list[str]
) -> None:
    parses = chunk_parser.parse(captions[:600])
    assert at_once(parts, parses) == one_by_one(finder, parses)


@example(batch=[tagged("[a/DT bird/NN] of/IN [prey/NN] and/CC [a/DT bag/NN] of/IN [lord/NN of/IN misrule/NN]")])
@example(batch=[tagged("[a/DT 12/CD~ -/HYPH~ year/NN~ -/HYPH~ old/JJ boy/NN]"), tagged("[Blender/NNP] with/IN")])
@example(
    batch=[tagged("[four/CD~ -/HYPH~ poster/NN]"), tagged("[-/HYPH~ poster/NN]"), tagged("x/XX -/HYPH~ [poster/NN]")]
)
@example(batch=[Parse((), ()), tagged("safe/JJ")])
@given(batch=st.lists(salads(), max_size=4))
def test_mentions__of_word_salad(parts: Parts, finder: TermFinder, batch: list[Parse]) -> None:
    assert at_once(parts, batch) == one_by_one(finder, batch)


@given(batch=st.lists(salads(), max_size=4))
def test_mend_each__a_parse_does_not_depend_on_others(mender: Mender, batch: list[Parse]) -> None:
    assert mender.mend_each(batch) == [mender.mend(parse) for parse in batch]


def test_forget__numbers_begin_anew(
    lexicon: Lexicon, chunk_parser: ChunkParser, finder: TermFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelgen.mentions.parts._MAX_PARTS", 2)
    parts = Parts(chunk_parser, TermFinder(lexicon))
    batch = [tagged("[a/DT dog/NN] chases/VBZ [two/CD cats/NNS]"), tagged("[a/DT bird/NN] of/IN [prey/NN]")]
    for parses in (batch, batch[::-1]):
        parts.forget()
        assert at_once(parts, parses) == one_by_one(finder, parses)
        assert min(parts.mentions(numbered(parses, parts.words)).terms) == 0
