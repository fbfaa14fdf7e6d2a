"""Clean texts → words with their tags, and noun chunks, by spaCy. The hot loop of stage 1."""

import importlib.util
import json
from collections.abc import Sequence
from importlib.metadata import version
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from labelgen.arrays.numbers import Numbers
from labelgen.parsing.fastparse import tag_chunks
from labelgen.parsing.parse import Parse, Parses, Word, numbered, one_after_another, one_by_one
from labelshards import storage

# Where the noun chunks come from: spaCy's parse, its tags alone, or a table that learns from the parse (distill/).
CHUNKS = "chunks"
TAGS = "tags"
DISTILLED = "distilled"
NOUNS = (CHUNKS, TAGS, DISTILLED)

# Captions per spaCy batch. What spaCy computes depends on what is batched together (in the last bit of a float), so
# batches are cut within a shard and never by who computes them.
TEXTS_PER_BATCH = 128
# Captions after which spaCy may forget the words it met; its string store grows without end otherwise.
TEXTS_PER_ZONE = 1_024

# Words that are remembered at most where parses are made of them one by one.
_MAX_NUMBERS = 100_000

# From so many words on, a text whose words all begin with a capital is a headline; two or three may be a name.
_HEADLINE_WORDS = 4

# The noun chunks need tags and a parse. Nothing here reads lemmas or entities.
_UNUSED = ("ner", "lemmatizer")


class ChunkParser:
    """A spaCy model, loaded once per process.

    nouns: CHUNKS or TAGS. slow: why spaCy's own pipeline does the work, at a quarter of the speed; else None.
    """

    def __init__(self, model: str, nouns: str = CHUNKS) -> None:
        import spacy

        # It brings numba with it, which only those need who parse.
        from labelgen.parsing.fastparse.parser import FastParser
        from labelgen.parsing.fastparse.recognise import UnknownModelError

        self._nlp = spacy.load(model, exclude=list(_UNUSED))
        # spaCy's own small BLAS falls to a generic kernel on many CPUs; NumPy's is up to half as fast again.
        for _, component in self._nlp.pipeline:
            if hasattr(component, "model"):
                for layer in component.model.walk():
                    layer.ops.use_blis = False
        self._nouns = nouns
        self._numbers = Numbers[Word]()  # of what is parsed one by one
        self.slow: str | None = None
        try:
            self._fast: FastParser | None = FastParser(self._nlp, with_arcs=nouns == CHUNKS)
        except UnknownModelError as error:
            self._fast, self.slow = None, str(error)

    def parse(self, texts: Sequence[str]) -> list[Parse]:
        """Words and noun chunks of each text, in order."""
        if len(self._numbers) > _MAX_NUMBERS:
            self._numbers = Numbers[Word]()
        return one_by_one(self.parse_all(texts, self._numbers), self._numbers.known)

    def parse_all(self, texts: Sequence[str], numbers: Numbers[Word]) -> Parses:
        """The same as arrays."""
        found = numbered([], numbers)
        for start in range(0, len(texts), TEXTS_PER_ZONE):
            with self._nlp.memory_zone():
                zone = self._parse([_sentence_case(text) for text in texts[start : start + TEXTS_PER_ZONE]], numbers)
            found = one_after_another(found, zone) if start else zone
        return found

    def _parse(self, texts: list[str], numbers: Numbers[Word]) -> Parses:
        if self._fast is None:
            docs = self._nlp.pipe(texts, batch_size=TEXTS_PER_BATCH)
            return numbered([self._ordinarily(doc) for doc in docs], numbers)
        is_plain = np.array([_is_plain(text) for text in texts], np.bool_)
        found = self._fast.parse_all(list(compress(texts, is_plain)), numbers)
        if is_plain.all():
            return found
        others = [self._ordinarily(self._nlp(text)) for text in compress(texts, ~is_plain)]
        # Sorted by who parses them; sorted again, the places where each text went.
        order = np.argsort(np.argsort(~is_plain, kind="stable"))
        return one_after_another(found, numbered(others, numbers)).take(order)

    def _ordinarily(self, doc: Any) -> Parse:  # noqa: ANN401  (spaCy is untyped)
        words = tuple(Word(token.text, token.tag_, bool(token.whitespace_)) for token in doc)
        if self._nouns == TAGS:
            return Parse(words, tuple(tag_chunks.of_words(words)))
        return Parse(words, tuple((span.start, span.end) for span in doc.noun_chunks))


def _is_plain(text: str) -> bool:
    """True for text in which words stand between single spaces, and no other white space."""
    return bool(text) and text.isprintable() and "  " not in text and text[0] != " " and text[-1] != " "


def model_provenance(model: str) -> dict[str, str]:
    """Name, version and digest of a spaCy model, and spaCy's own version.

    The digest is xxh3_64 over the files that decide what it computes, so that copies of one model count as the same.
    """
    folder = _model_folder(model)
    meta = json.loads((folder / "meta.json").read_text())
    names = ("config.cfg", "tokenizer", "vocab/strings.json", "tok2vec/model", "tagger/model", "parser/model")
    content = b"".join((folder / name).read_bytes() for name in names if (folder / name).is_file())
    return {
        "version": version("spacy"),
        "model": f"{meta['lang']}_{meta['name']}",
        "model_version": meta["version"],
        "model_digest": storage.digest(content),
    }


def _model_folder(model: str) -> Path:
    """The data folder inside an installed model package, found without the second that importing spaCy takes."""
    spec = importlib.util.find_spec(model)
    assert spec is not None, f"{model} was found before"
    package = Path(str(spec.origin)).parent
    return next((meta.parent for meta in sorted(package.glob("*/meta.json"))), package)


def _sentence_case(text: str) -> str:
    """A headline ("Polar Bear On The Ice", "POLAR BEAR") in lower case, anything else as it is.

    In a headline capitals say nothing, and the tagger would take every word for a name.
    """
    capitals = 0
    for word in text.split():
        if word[0].isalpha():
            if not word[0].isupper():
                return text
            capitals += 1
    # One word alone ("Dog") has its capital because it comes first.
    return text.lower() if capitals >= _HEADLINE_WORDS or capitals == 1 else text
