import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.parsing.normalize import MAX_CHARACTERS, normalize

# What breaks text cleaners, to be put together in any order.
PIECES = st.sampled_from(
    [
        *(
            "&amp;",
            "amp;",
            "&",
            "&lt;b&gt;",
            "<b>",
            "<",
            ">",
            "%25",
            "%",
            "41",
            "+",
            "Ã©",
            "é",
            "e\u0301",
            "ﬁ",
            "\u00ad",
        ),
        *("\u200b", "\u200d", "\u202e", "\ufeff", "\x00", "\x1b[0m", "\ud800", "🐕", "狗", "كلب", " ", "\n", "dog"),
    ]
)
CAPTIONS = st.one_of(
    st.text(), st.text(st.characters(codec=None), max_size=50), st.lists(PIECES, max_size=12).map("".join)
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a dog", "a dog"),
        ("  a \t dog\r\n on  grass ", "a dog on grass"),
        ("Tom &amp; Jerry&#39;s caf&eacute;", "Tom & Jerry's café"),
        ("Fish &amp;amp; chips", "Fish & chips"),
        ("a%20black+dog%2C%20running", "a black dog, running"),
        ("50% off, 100%25 cotton", "50% off, 100%25 cotton"),
        ("<p class='x'>A <b>red</b> bus</p><br/>", "A red bus"),
        ("&lt;b&gt;bold&lt;/b&gt; dog", "bold dog"),
        ("I <3 dogs > cats", "I <3 dogs > cats"),
        ("cafÃ© terrace", "café terrace"),
        ("e\u0301clair", "éclair"),
        ("it\u2019s a \u201cdog\u201d", 'it\'s a "dog"'),
        ("mo\u00adther-in-law", "mother-in-law"),
        ("\u202ba dog\u202c and\u200f a cat", "a dog and a cat"),
        ("dog\u200bpark", "dog park"),
        ("\ufeffa dog", "a dog"),
        ("a\x00dog\x1f", "a dog"),
        ("half a \ud83d pair", "half a \ufffd pair"),
        ("👩\u200d🚒 with hose", "👩🚒 with hose"),
        ("", ""),
        (" \u3000\n", ""),
        ("<br>", ""),
    ],
)
def test_normalize__cases(raw: str, clean: str) -> None:
    assert normalize(raw) == (clean, False)


@given(CAPTIONS)
def test_normalize__idempotent(caption: str) -> None:
    once, _ = normalize(caption)
    assert normalize(once) == (once, False)


@given(CAPTIONS)
def test_normalize__clean_text(caption: str) -> None:
    text, _ = normalize(caption)
    assert text.isprintable()
    assert text == " ".join(text.split())
    assert unicodedata.is_normalized("NFC", text)


def test_normalize__long_caption_is_cut_at_a_space() -> None:
    text, cut = normalize("dogs " * 20_000)
    assert cut
    assert len(text) <= MAX_CHARACTERS
    assert set(text.split()) == {"dogs"}


def test_normalize__long_caption_without_space_is_cut_hard() -> None:
    assert normalize("x" * 100_000) == ("x" * MAX_CHARACTERS, True)


def test_normalize__cut_does_not_bring_quoting_back() -> None:
    text, cut = normalize("%41" + "x" * MAX_CHARACTERS + " tail")
    assert cut
    assert normalize(text) == (text, False)


def test_normalize__what_shrinks_is_not_cut() -> None:
    text, cut = normalize("<img src='a.jpg' alt='nothing to read here'/> &amp;amp; " * 100)
    assert not cut
    assert text == " ".join(["&"] * 100)


def test_normalize__a_hundred_layers_of_quoting_end() -> None:
    assert normalize("%" + "25" * 8_000)[0].startswith("%25")


def test_normalize__a_number_of_thousands_of_digits_is_no_character() -> None:
    """Found by fuzzing: html.unescape asks Python for the number, which refuses to read it."""
    for digits in (8, 3_999, 4_000, 4_301, 15_000):
        assert normalize(f"a dog &#{'9' * digits}; runs") == ("a dog \ufffd runs", False)
        assert normalize(f"a dog &amp;#{'9' * digits} runs") == ("a dog \ufffd runs", False)
