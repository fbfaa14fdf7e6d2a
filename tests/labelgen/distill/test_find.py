"""Many captions at once give what `TermFinder` gives one by one."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill.find import decode, find
from labelgen.distill.labeler import Distilled
from labelgen.distill.lookup import Lookup
from labelgen.distill.pieces import Pieces
from labelgen.distill.tagset import CLASSES, NUM_CLASSES, TAG_OF, chunks_of
from labelgen.mentions.reader import Captions
from labelgen.mentions.terms import Dropped, Mention, Term, TermFinder
from labelgen.parsing.parse import Parse, Word

# Words that meet in terms of several words, across "of", hyphens and spaces, and that count or place others.
_WORDS_TEXT = """
    a the two his this white hot red polar teddy sun bar stool stand dog dogs bear bears glasses glass bus people men
    birds of prey lily valley group lots view t - shirt double decker 12 year old boy colour television set Rose
    Golden Gate Bridge St . bernard 's us it running stop sign cup cups tea coffee man war jack in box
    Caf\u00e9 \u2013 with lid
"""
WORDS = _WORDS_TEXT.split()
Found = set[tuple[Term, Term | None]]


def mentions(found: Iterable[Mention | Dropped]) -> Found:
    return {(each.term, each.of) for each in found if isinstance(each, Mention)}


def by_caption(labeler: Distilled, texts: list[str]) -> list[Found]:
    sets: list[Found] = [set() for _ in texts]
    for caption, term, of in zip(*(column.tolist() for column in labeler.read(texts)), strict=True):
        sets[caption].add((labeler.term(term), None if of < 0 else labeler.term(of)))
    return sets


def test_read__finds_what_the_term_finder_finds(labeler: Distilled, captions: list[str]) -> None:
    expected = [
        mentions(chain.from_iterable(labeler.phrases(parse))) for parse in labeler.parse(Captions(captions, captions))
    ]
    assert by_caption(labeler, captions) == expected
    assert sum(map(len, expected)) > 3 * len(captions)


@lru_cache
def finder(lexicon: Lexicon) -> TermFinder:
    return TermFinder(lexicon)


@pytest.fixture(scope="module")
def lookup_of(lexicon: Lexicon) -> tuple[Pieces, Lookup]:
    pieces = Pieces()
    return pieces, Lookup(lexicon, finder(lexicon), pieces)


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(WORDS), st.booleans(), st.integers(0, NUM_CLASSES - 1)), min_size=1, max_size=12
        ),
        min_size=1,
        max_size=3,
    )
)
def test_find__whatever_the_classes(
    lexicon: Lexicon, lookup_of: tuple[Pieces, Lookup], captions: list[list[tuple[str, bool, int]]]
) -> None:
    pieces, lookup = lookup_of
    texts = ["".join(" " * space + word for word, space, _ in caption).strip() for caption in captions]
    row = pieces.read(texts)
    drawn = np.array([number for caption in captions for _, _, number in caption])
    classes = np.resize(drawn, len(row.numbers))
    found = find(row.numbers, classes, lookup)
    for caption, (first, end) in enumerate(zip(row.firsts.tolist(), row.ends.tolist(), strict=True)):
        here = (found.at >= first) & (found.at < end)
        ours = {
            (decode(term, lookup.spans.texts), None if of < 0 else decode(of, lookup.spans.texts))
            for term, of in zip(found.terms[here].tolist(), found.of[here].tolist(), strict=True)
        }
        parse = as_parse(pieces, row.numbers[first:end], classes[first:end])
        assert ours == mentions(finder(lexicon).find_in(parse)), texts[caption]


def as_parse(pieces: Pieces, numbers: np.ndarray, classes: np.ndarray) -> Parse:
    known = pieces.texts()
    texts = [known[number] for number in numbers.tolist()]
    followed = [text.startswith(" ") for text in texts[1:]] + [False]
    words = [
        Word(text.strip(" "), TAG_OF[number], space)
        for text, number, space in zip(texts, classes.tolist(), followed, strict=True)
    ]
    _, starts, ends = chunks_of(classes)
    return Parse(tuple(words), tuple(zip(starts.tolist(), ends.tolist(), strict=True)))


def test_classes__first_is_outside_without_a_tag() -> None:
    assert CLASSES[0] == ("", 0)  # what breaks between captions are given
