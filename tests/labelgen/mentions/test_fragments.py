"""Captions are fragments: what becomes of a parse that was made as if they were sentences."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelgen.dictionary.lexicon import Lexicon
from labelgen.mentions.fragments import Mender
from labelgen.parsing.nouns import ChunkParser
from labelgen.parsing.parse import Parse, Word
from tests.labelgen.tagged import tagged, written


@pytest.fixture(scope="module")
def mender(lexicon: Lexicon) -> Mender:
    return Mender(lexicon)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("compass/VB on/IN [a/DT table/NN]", "[compass/NN] on/IN [a/DT table/NN]"),
        ("compasses/VB on/IN [a/DT table/NN]", "[compasses/NNS] on/IN [a/DT table/NN]"),
        ("avocado/VB and/CC [toast/NN]", "[avocado/NN] and/CC [toast/NN]"),
        ("[tomato/NN] and/CC avocado/VB", "[tomato/NN] and/CC [avocado/NN]"),
        ("Zebra/UH at/IN [the/DT zoo/NN]", "[Zebra/NN] at/IN [the/DT zoo/NN]"),
        ("[a/DT red/NN] rose/VBD in/IN [a/DT vase/NN]", "[a/DT red/NN rose/NN] in/IN [a/DT vase/NN]"),
        ("[a/DT girl/NN feeding/NN pigeons/NNS]", "[a/DT girl/NN] feeding/VBG [pigeons/NNS]"),
        ("[a/DT policeman/NN grins/NNS]", "[a/DT policeman/NN] grins/VBZ"),
        ("[a/DT policeman/NN] grins/NNS", "[a/DT policeman/NN] grins/VBZ"),
        ("[a/DT girl/NN] with/IN pigeons/NNS", "[a/DT girl/NN] with/IN [pigeons/NNS]"),
        ("[two/CD hot/JJ] dogs/NNS", "[two/CD hot/JJ dogs/NNS]"),
        ("small/JJ dogs/NNS", "[small/JJ dogs/NNS]"),
    ],
)  # fmt: skip
def test_mend__fragments(mender: Mender, before: str, after: str) -> None:
    assert written(mender.mend(tagged(before))) == after


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[the/DT dog/NN] runs/VBZ on/IN [the/DT grass/NN] ./.",
        "[She/PRP] can/MD compass/VB [the/DT coast/NN]",
        "to/TO rose/VB",
        "[a/DT swimming/NN pool/NN]",
        "[a/DT frying/VBG pan/NN]",
        "[orange/NN juice/NN]",
        "[a/DT box/NN kite/NN]",
        "[the/DT bus/NN stops/NNS]",  # a term of WordNet is not cut
        "throw/VB [the/DT ball/NN]",
        "[the/DT sun/NN] rose/VBD over/IN [the/DT sea/NN]",
        "[xyzzy/NN] plughs/VBZ",
    ],
)
def test_mend__leaves_alone(mender: Mender, text: str) -> None:
    assert written(mender.mend(tagged(text))) == text


@pytest.mark.parametrize(
    "sentence",
    [
        "A man is riding a horse on the beach.",
        "Two dogs run through the grass while a child throws a ball.",
        "She drinks a glass of orange juice by the swimming pool.",
        "The old woman was sitting on a bench and reading a newspaper.",
        "They want to compass the globe.",
    ],
)
def test_mend__changes_nothing_in_a_sentence(mender: Mender, chunk_parser: ChunkParser, sentence: str) -> None:
    (parse,) = chunk_parser.parse([sentence])
    mended = mender.mend(parse)
    assert mended.words == parse.words
    nouns = [chunk for chunk in parse.chunks if parse.words[chunk[1] - 1].tag.startswith("NN")]
    assert [chunk for chunk in mended.chunks if chunk in parse.chunks and chunk in nouns] == nouns
    assert set(mended.chunks) == set(parse.chunks)


WORDS = st.builds(
    Word,
    st.sampled_from(
        [
            "compass",
            "girl",
            "feeding",
            "pigeons",
            "red",
            "rose",
            "grins",
            "the",
            "and",
            "swimming",
            "pool",
            "",
            "狗",
            "-",
        ]
    ),
    st.sampled_from(["NN", "NNS", "NNP", "DT", "JJ", "VB", "VBZ", "VBG", "VBD", "IN", "CC", "PRP", "MD", "UH", "RB"]),
    st.booleans(),
)


@st.composite
def parses(draw: st.DrawFn) -> Parse:
    words = tuple(draw(st.lists(WORDS, max_size=10)))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    return Parse(words, tuple(pair for pair in pairwise(cuts) if draw(st.booleans())))


@given(parse=parses())
def test_mend__chunks_stay_apart_and_hold_every_noun(mender: Mender, parse: Parse) -> None:
    mended = mender.mend(parse)
    assert [(word.text, word.space_after) for word in mended.words] == [
        (word.text, word.space_after) for word in parse.words
    ]
    ends = [0]
    for start, end in mended.chunks:
        assert ends[-1] <= start < end <= len(parse.words)
        ends.append(end)
    inside = {at for start, end in mended.chunks for at in range(start, end)}
    assert all(at in inside for at, word in enumerate(mended.words) if word.tag.startswith("NN"))


@example(parse=Parse((Word("swimming", "VB", False), Word("pool", "JJ", False)), ()))
@given(parse=parses())
def test_mend__once_is_enough(mender: Mender, parse: Parse) -> None:
    once = mender.mend(parse)
    assert mender.mend(once) == once
