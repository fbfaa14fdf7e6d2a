"""Whether the compiled parse is spaCy's: words, tags and noun chunks of whole corpora against the unmodified pipeline.

    python benchmarks/label_exactness.py SOURCE... [--captions 100000]

Each source is read as `catlip labels build` reads it, and told of by itself. spaCy's side is the model as it comes: all
components, and spaCy's own matrix library. Prints in how many captions something differs; exits with 1 if that is any.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from labelgen import language_data, sources
from labelgen.parsing import nouns
from labelgen.parsing.normalize import normalize
from labelgen.parsing.torchless import do_without_torch
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Sample

AT_ONCE = 2_048


class Compared(NamedTuple):
    """captions, words, chunks: of spaCy; other_*: captions in which ours are not the same."""

    captions: int
    words: int
    chunks: int
    other_words: int
    other_tags: int
    other_chunks: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="SOURCE", help="a file, or a pattern for several")
    parser.add_argument("--captions", type=int, default=None, help="of each, at most")
    asked = parser.parse_args()
    do_without_torch()
    import spacy

    ours, theirs = nouns.ChunkParser(language_data.spacy_model()), spacy.load(language_data.spacy_model())
    print("| corpus | captions | words | noun chunks | other words | other tags | other noun chunks |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    differing = 0
    for corpus in asked.corpora:
        found = compare(islice(texts_of(corpus), asked.captions), ours, theirs)
        print(f"| {corpus} | " + " | ".join(f"{count:,}" for count in found) + " |", flush=True)
        differing += found.other_words + found.other_tags + found.other_chunks
    sys.exit(bool(differing))


def texts_of(source: str) -> Iterator[str]:
    """Captions as the parser gets them: clean, and headlines in lower case."""
    for shard in sources.plan([source], Fields()):
        samples = (each for each in sources.read(shard, Fields()) if isinstance(each, Sample))
        clean = (normalize(caption)[0] for sample in samples for caption in sample.captions)
        yield from (nouns._sentence_case(text) for text in clean if text)


def compare(texts: Iterable[str], ours: nouns.ChunkParser, theirs: Any) -> Compared:  # noqa: ANN401  (spaCy is untyped)
    """Both parses of the same texts."""
    total = np.zeros(len(Compared._fields), np.int64)
    left = iter(texts)
    while batch := list(islice(left, AT_ONCE)):
        for parse, doc in zip(ours.parse(batch), theirs.pipe(batch), strict=True):
            chunks = [(chunk.start, chunk.end) for chunk in doc.noun_chunks]
            words = [(token.text, bool(token.whitespace_)) for token in doc]
            same_words = [(word.text, word.space_after) for word in parse.words] == words
            same_tags = [word.tag for word in parse.words] == [token.tag_ for token in doc]
            same = same_words, same_tags, list(parse.chunks) == chunks
            total += (1, len(words), len(chunks), *(not each for each in same))
    return Compared(*total.tolist())


if __name__ == "__main__":
    main()
