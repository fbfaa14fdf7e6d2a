"""The ways to label that are compared. Each is made ready once, in a process of its own, and then measured."""

import os
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from labelgen import language_data
from labelgen.arrays.memory import spare_collections
from labelgen.dictionary import wordnet
from labelgen.distill import table, teach
from labelgen.extract import Extractor, Seconds
from labelgen.labelers import Tools
from labelgen.mentions.corenet import CoreNet
from labelgen.options import Options, load_lexicon, make_extractor, settings_for
from labelgen.parsing import nouns
from labelgen.parsing.normalize import normalize
from labelgen.parsing.torchless import do_without_torch
from labelgen.sources import plan
from labelgen.sources.fields import Fields

_LEAN = ("ner", "lemmatizer")
_TAGGED_TO_LEARN_FROM = 1_000
_CORENET_CLASSES = 24_320  # of the published vocabulary
_REPEATED = 10  # times, where captions take a hundredth of a millisecond


class Measured(NamedTuple):
    """CPU seconds a caption, where they went, if that is known, and the most memory that the process has taken."""

    seconds: float
    stages: dict[str, float]
    peak_mib: float


Work: TypeAlias = Callable[[list[str]], Measured]


class Variant(NamedTuple):
    """make: captions to warm up with → what is measured. captions: so many are enough to tell how fast it is."""

    make: Callable[[list[str]], Work]
    captions: int


def spacy_way(exclude: Sequence[str], *, batch: bool = True, blis: bool = True) -> Callable[[list[str]], Work]:
    """spaCy's own pipeline; noun chunks are read where it gives word classes, which they need."""

    def make(warm_up: list[str]) -> Work:
        import spacy

        nlp = spacy.load(language_data.spacy_model(), exclude=list(exclude))
        for _, component in nlp.pipeline if not blis else ():
            for layer in component.model.walk() if hasattr(component, "model") else ():
                layer.ops.use_blis = False

        def work(texts: list[str]) -> None:
            for doc in nlp.pipe(texts) if batch else map(nlp, texts):
                if nlp.has_pipe("attribute_ruler"):
                    list(doc.noun_chunks)

        return timed(work, warm_up[:300])

    return make


def published(*, tagger: bool, order: str) -> Callable[[list[str]], Work]:
    """The published code as it is written, with NLTK's reader of WordNet, and its vocabulary as a list.

    The data of NLTK's tagger comes in no package; here one of the same make learns spaCy's tags. What it says is never
    used, only what it costs. order: of the vocabulary, "frequent" or "random".
    """

    def make(warm_up: list[str]) -> Work:
        import nltk.data
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
        from nltk.stem import WordNetLemmatizer

        folder = Path(tempfile.mkdtemp()) / "corpora" / "wordnet"
        folder.mkdir(parents=True)
        for name in wordnet.FILES:
            (folder / name).write_bytes((language_data.find_wordnet() / name).read_bytes())
        nltk.data.path[:] = [str(folder.parent.parent)]
        reader = WordNetCorpusReader(nltk.data.find("corpora/wordnet"), None)
        lemmatizer = WordNetLemmatizer()
        lemmatizer._morphy = reader._morphy
        rule = CoreNet(language_data.find_wordnet())
        tag = trained_tagger(warm_up) if tagger else None
        readings = (reading for caption in warm_up for reading in rule.readings(caption))
        support = Counter(reading.lemma for reading in readings if reading.is_label)
        frequent = [lemma for lemma, _ in support.most_common()]
        others = sorted({*reader.all_lemma_names("n")} - {*frequent})
        vocabulary = [f"{word}.n.01" for word in [*frequent, *others]][:_CORENET_CLASSES]
        if order == "random":
            random.Random(0).shuffle(vocabulary)

        def work(texts: list[str]) -> None:
            for text in texts:
                words = rule._tokenize(rule.clean(text))
                if tag is not None:
                    tag(words)
                for word in words:
                    lemma = lemmatizer.lemmatize(word, pos="n")
                    try:
                        vocabulary.index(reader.synset(f"{lemma}.n.01").name())
                    except Exception:
                        continue

        return timed(work, warm_up[:2_000])

    return make


def trained_tagger(texts: list[str]) -> Callable[[list[str]], Any]:
    """A tagger of NLTK's make."""
    from nltk.tag.perceptron import PerceptronTagger

    random.seed(0)
    parser = nouns.ChunkParser(language_data.spacy_model(), nouns.TAGS)
    parses = parser.parse([normalize(text)[0] for text in texts[:_TAGGED_TO_LEARN_FROM]])
    tagger = PerceptronTagger(load=False)
    tagger.train([[(word.text, word.tag) for word in parse.words] for parse in parses], nr_iter=5)
    tag: Callable[[list[str]], Any] = tagger.tag
    return tag


def catlip(choice: str) -> Callable[[list[str]], Work]:
    """TSV in, candidate shard out, in the middle of a long run: with what a worker has met by then."""

    def make(warm_up: list[str]) -> Work:
        folder = Path(tempfile.mkdtemp())
        model = language_data.spacy_model()
        settings = settings_for(Options(sources=[], out="", nouns=choice), model)
        extractor = make_extractor(settings, None, model, language_data.find_wordnet(), str(folder))
        spare_collections()  # as a worker does
        return extraction(extractor, folder, warm_up)

    return make


def distilled(warm_up: list[str]) -> Work:
    """Like `catlip`, with a table that learnt from the captions of the warm-up."""
    folder = Path(tempfile.mkdtemp())
    model, wordnet_folder = language_data.spacy_model(), language_data.find_wordnet()
    settings = settings_for(Options(sources=[], out="", nouns=nouns.DISTILLED), model)
    lexicon = load_lexicon(settings.labeler, None, wordnet_folder)
    clean = [text for caption in warm_up if (text := normalize(caption)[0])]
    weights = table.from_bytes(teach.teach(clean, lexicon, model, ""), "the table").weights
    tools = Tools(lexicon, wordnet_folder, model, nouns.DISTILLED, weights)
    extractor = Extractor(settings=settings, tools=tools, folder=str(folder))
    spare_collections()  # as a worker does
    return extraction(extractor, folder, warm_up, _REPEATED)


def extraction(extractor: Extractor, folder: Path, warm_up: list[str], repeated: int = 1) -> Work:
    """TSV in, candidate shard out. repeated: so often the captions stand in the TSV."""
    tsv = folder / "captions.tsv"

    def work(texts: list[str]) -> Measured:
        tsv.write_text("".join(f"{text}\t\n" for text in texts * repeated))
        start = time.process_time()
        stages = sum((extractor.extract(shard)[1] for shard in plan([str(tsv)], Fields())), Seconds())
        return Measured((time.process_time() - start) / len(texts) / repeated, stages.by_stage(), peak_mib())

    work(warm_up)
    return work


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[list[str]], None], warm_up: list[str]) -> Work:
    """`work`, with the time that it takes."""
    work(warm_up)

    def measure(texts: list[str]) -> Measured:
        start = time.process_time()
        work(texts)
        return Measured((time.process_time() - start) / len(texts), {}, peak_mib())

    return measure


PUBLISHED, ONE_BY_ONE, LEAN, CHUNKS, TAGS = (
    "published rule as written, with a tagger like NLTK's",
    "spaCy, one text at a time, all components",
    "`nlp.pipe`, without ner and lemmatizer",
    "catlip: TSV in, candidate shard out",
    "catlip, `--nouns tags`",
)
DISTILLED = "catlip, `--nouns distilled`, words met before"
COMPARED = (ONE_BY_ONE, LEAN, PUBLISHED)
VARIANTS = {
    PUBLISHED: Variant(published(tagger=True, order="frequent"), 1_000),
    "… its vocabulary in random order": Variant(published(tagger=True, order="random"), 400),
    "… without the tagger, whose tags are not used": Variant(published(tagger=False, order="frequent"), 1_000),
    ONE_BY_ONE: Variant(spacy_way((), batch=False), 400),
    "`nlp.pipe`, all components": Variant(spacy_way(()), 1_000),
    LEAN: Variant(spacy_way(_LEAN), 1_000),
    "… and matrix products by NumPy": Variant(spacy_way(_LEAN, blis=False), 1_000),
    "… and no attribute ruler (so no chunks)": Variant(spacy_way((*_LEAN, "attribute_ruler"), blis=False), 1_000),
    CHUNKS: Variant(catlip(nouns.CHUNKS), 1_000),
    TAGS: Variant(catlip(nouns.TAGS), 1_000),
    DISTILLED: Variant(distilled, 1_000),
}

_ready: Work | None = None


def prepare(name: str, warm_up: list[str]) -> None:
    """In the process of a variant: make it ready."""
    global _ready
    do_without_torch()
    os.chdir(tempfile.mkdtemp())
    _ready = VARIANTS[name].make(warm_up)


def measure(texts: list[str]) -> Measured:
    """In the process of a variant, once it is ready."""
    assert _ready is not None, "prepare comes first"
    return _ready(texts)


def differences(captions: list[str]) -> tuple[int, int, int]:
    """In how many captions words, tags or chunks are other than those of spaCy's own pipeline."""
    do_without_torch()
    import spacy

    texts = [text for caption in captions if (text := nouns._sentence_case(normalize(caption)[0]))]
    parser = nouns.ChunkParser(language_data.spacy_model())
    nlp = spacy.load(language_data.spacy_model(), exclude=list(_LEAN))
    counts = [0, 0, 0]
    for parse, doc in zip(parser.parse(texts), nlp.pipe(texts), strict=True):
        counts[0] += [(word.text, word.space_after) for word in parse.words] != [
            (token.text, bool(token.whitespace_)) for token in doc
        ]
        counts[1] += [word.tag for word in parse.words] != [token.tag_ for token in doc]
        counts[2] += list(parse.chunks) != [(chunk.start, chunk.end) for chunk in doc.noun_chunks]
    return counts[0], counts[1], counts[2]


def labels_by(choice: str, captions: list[str]) -> list[set[str]]:
    """The labels of captions whose noun chunks come from there."""
    from labelgen.inmemory import Labelling

    do_without_torch()
    return list(map(set, Labelling(nouns=choice).label([[caption] for caption in captions])))
