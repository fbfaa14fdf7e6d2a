"""How fast labelling is, as ratios against spaCy's own ways and the published rule, all measured in this run.

    python benchmarks/label_throughput.py CAPTIONS.tsv [--rounds 3]

CAPTIONS.tsv: `caption<TAB>url` lines, 10,000 or more, for example CC3M's validation file. Each measurement has a
process of its own, because what one variant sets up (spaCy's matrix library, for one) would change the next. Times are
CPU seconds on one core, so that what else the machine does counts for less; the ratios are what to look at.
"""

import argparse
import multiprocessing
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from labelgen import language_data, nouns, wordnet
from labelgen.corenet import CoreNet
from labelgen.distill import table, teach
from labelgen.extract import Extractor, Seconds
from labelgen.inmemory import Labelling
from labelgen.labelers import Tools
from labelgen.normalize import normalize
from labelgen.options import Options, load_lexicon, make_extractor, settings_for
from labelgen.sources import plan
from labelgen.sources.fields import Fields

MEASURED = 2_000  # captions; all others are for warming up
_REPEATED = 10  # times, where they take less than a tenth of a second
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_TAGGED_TO_LEARN_FROM = 2_000
_LEAN = ("ner", "lemmatizer")


class Measured(NamedTuple):
    """CPU seconds for MEASURED captions, and where they went, if that is known."""

    seconds: float
    stages: dict[str, float]


def spacy_way(measured: list[str], warm_up: list[str], *, exclude: Sequence[str], batch: bool, blis: bool) -> Measured:
    import spacy

    nlp = spacy.load(language_data.spacy_model(), exclude=list(exclude))
    for _, component in nlp.pipeline if not blis else ():
        for layer in component.model.walk() if hasattr(component, "model") else ():
            layer.ops.use_blis = False

    def work(texts: list[str]) -> None:
        for doc in nlp.pipe(texts) if batch else map(nlp, texts):
            list(doc.noun_chunks)

    return timed(work, measured, warm_up[:500])


def published(measured: list[str], warm_up: list[str], *, tagger: bool) -> Measured:
    """The published code as it is written, with NLTK's reader of WordNet.

    The data of NLTK's tagger comes in no package; here one of the same make learns spaCy's tags. What it says is never
    used, only what it costs.
    """
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

    def work(texts: list[str]) -> None:
        for text in texts:
            words = rule._tokenize(rule.clean(text))
            if tag is not None:
                tag(words)
            for word in words:
                lemma = lemmatizer.lemmatize(word, pos="n")
                try:
                    reader.synset(f"{lemma}.n.01").name()
                except Exception:
                    continue

    return timed(work, measured, warm_up[:2_000])


def trained_tagger(texts: list[str]) -> Callable[[list[str]], Any]:
    from nltk.tag.perceptron import PerceptronTagger

    random.seed(0)
    parser = nouns.ChunkParser(language_data.spacy_model(), nouns.TAGS)
    parses = parser.parse([normalize(text)[0] for text in texts[:_TAGGED_TO_LEARN_FROM]])
    tagger = PerceptronTagger(load=False)
    tagger.train([[(word.text, word.tag) for word in parse.words] for parse in parses], nr_iter=5)
    return tagger.tag


def catlip(measured: list[str], warm_up: list[str], *, choice: str) -> Measured:
    """TSV in, candidate shard out, in the middle of a long run: with what a worker has met by then."""
    import gc

    folder = Path(tempfile.mkdtemp())
    model = language_data.spacy_model()
    settings = settings_for(Options(sources=[], out="", nouns=choice), model)
    extractor = make_extractor(settings, None, model, language_data.find_wordnet(), str(folder))
    gc.freeze()  # as a worker does
    return extraction(extractor, folder, measured, warm_up)


def distilled(measured: list[str], warm_up: list[str]) -> Measured:
    """Like `catlip`, with a table that learnt from the captions of the warm-up."""
    import gc

    folder = Path(tempfile.mkdtemp())
    model, wordnet_folder = language_data.spacy_model(), language_data.find_wordnet()
    settings = settings_for(Options(sources=[], out="", nouns=nouns.DISTILLED), model)
    lexicon = load_lexicon(settings.labeler, None, wordnet_folder)
    clean = [text for caption in warm_up if (text := normalize(caption)[0])]
    weights = table.from_bytes(teach.teach(clean, lexicon, model, ""), "the table").weights
    tools = Tools(lexicon, wordnet_folder, model, nouns.DISTILLED, weights)
    extractor = Extractor(settings=settings, tools=tools, folder=str(folder))
    gc.freeze()  # as a worker does
    return extraction(extractor, folder, measured * _REPEATED, warm_up + measured, _REPEATED)


def extraction(
    extractor: Extractor, folder: Path, measured: list[str], warm_up: list[str], repeated: int = 1
) -> Measured:
    """TSV in, candidate shard out; the seconds are those of one of `repeated` rounds."""
    stages = Seconds()

    def work(texts: list[str]) -> None:
        nonlocal stages
        tsv = folder / f"{len(texts)}.tsv"
        tsv.write_text("".join(f"{text}\t\n" for text in texts))
        stages = sum((extractor.extract(shard)[1] for shard in plan([str(tsv)], Fields())), Seconds())

    seconds = timed(work, measured, warm_up).seconds / repeated
    return Measured(seconds, stages.by_stage())


def timed(work: Callable[[list[str]], None], measured: list[str], warm_up: list[str]) -> Measured:
    work(warm_up)
    start = time.process_time()
    work(measured)
    return Measured(time.process_time() - start, {})


CHUNKS_VARIANT, TAGS_VARIANT = "catlip: TSV in, candidate shard out", "catlip, --nouns tags"
DISTILLED_VARIANT = "catlip, --nouns distilled, words met before"
VARIANTS: dict[str, tuple[Callable[..., Measured], dict[str, Any]]] = {
    "published rule as written, with a tagger like NLTK's": (published, {"tagger": True}),
    "published rule without the tagger, whose tags are not used": (published, {"tagger": False}),
    "spaCy, one text at a time, all components": (spacy_way, {"exclude": (), "batch": False, "blis": True}),
    "nlp.pipe, all components": (spacy_way, {"exclude": (), "batch": True, "blis": True}),
    "nlp.pipe, without ner and lemmatizer": (spacy_way, {"exclude": _LEAN, "batch": True, "blis": True}),
    "… and matrix products by NumPy": (spacy_way, {"exclude": _LEAN, "batch": True, "blis": False}),
    CHUNKS_VARIANT: (catlip, {"choice": nouns.CHUNKS}),
    TAGS_VARIANT: (catlip, {"choice": nouns.TAGS}),
    DISTILLED_VARIANT: (distilled, {}),
}


def measure(name: str, measured: list[str], warm_up: list[str]) -> Measured:
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # as in a worker
    work, choices = VARIANTS[name]
    return work(measured, warm_up, **choices)


def differences(captions: list[str]) -> tuple[int, int, int]:
    """In how many captions words, tags or chunks are other than those of the unmodified pipeline."""
    import spacy

    texts = [text for caption in captions if (text := nouns._sentence_case(normalize(caption)[0]))]
    parser = nouns.ChunkParser(language_data.spacy_model())
    nlp = spacy.load(language_data.spacy_model())
    counts = [0, 0, 0]
    for parse, doc in zip(parser.parse(texts), nlp.pipe(texts), strict=True):
        counts[0] += [(word.text, word.space_after) for word in parse.words] != [
            (token.text, bool(token.whitespace_)) for token in doc
        ]
        counts[1] += [word.tag for word in parse.words] != [token.tag_ for token in doc]
        counts[2] += list(parse.chunks) != [(chunk.start, chunk.end) for chunk in doc.noun_chunks]
    return counts[0], counts[1], counts[2]


def agreement(captions: list[str]) -> float:
    """F1 of the labels that tags give, against those that chunks give."""
    samples = [[caption] for caption in captions]
    ours, theirs = (Labelling(nouns=choice).label(samples) for choice in (nouns.TAGS, nouns.CHUNKS))
    both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    return 2 * both / (sum(map(len, ours)) + sum(map(len, theirs)))


class Built(NamedTuple):
    """A build: wall seconds, bytes of the label set a sample, and the largest resident set of its processes in MiB."""

    seconds: float
    bytes_per_sample: float
    peak_mib: float


def built(captions: list[str]) -> tuple[Built, float]:
    """A build by two workers, and how long two builds by one worker each take at once, of the same captions."""
    folder = Path(tempfile.mkdtemp())
    halves = []
    for number in range(2):
        halves.append(folder / f"{number}.tsv")
        halves[-1].write_text("".join(f"{text}\t\n" for text in captions[number::2]))
    start = time.perf_counter()
    run_builds([[*map(str, halves), "--out", str(folder / "both"), "--workers", "2"]])
    both = time.perf_counter() - start
    start = time.perf_counter()
    run_builds([[str(half), "--out", str(folder / half.stem), "--workers", "1"] for half in halves])
    apart = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (folder / "both").rglob("*") if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Built(both, size / len(captions), peak), apart


def run_builds(arguments: list[list[str]]) -> None:
    command = [sys.executable, "-m", "catlip_cli.main", "labels", "build", "--threshold", "10", "--json"]
    runs = [
        subprocess.Popen([*command, *own], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for own in arguments
    ]
    if any([run.wait() for run in runs]):  # noqa: C419  (each is waited for)
        sys.exit("A build failed.")


def main(corpus: Path, rounds: int) -> None:
    texts = [line.partition("\t")[0] for line in corpus.read_text().splitlines()]
    measured, warm_up = texts[:MEASURED], texts[MEASURED:]
    os.environ |= _ONE_THREAD
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        found = [  # round by round, so that whatever else the machine does falls on all variants alike
            {name: pool.submit(measure, name, measured, warm_up).result() for name in VARIANTS} for _ in range(rounds)
        ]
        words, tags, chunks = pool.submit(differences, texts).result()
        f1 = pool.submit(agreement, texts).result()
    together, apart = built(texts)
    print(f"{time.strftime('%Y-%m-%d')}, {processor()}, Python {platform.python_version()}, {versions()}\n")
    show_variants(found)
    show_stages(found)
    print(
        f"- Captions, of {len(texts):,}, with other words than spaCy's: {words}; tags: {tags}; noun chunks: {chunks}."
    )
    print(f"- Labels of --nouns tags against those of chunks: F1 {f1:.3f}.")
    print(
        f"- A label set of {len(texts):,} captions takes {together.bytes_per_sample:.0f} bytes a sample with its "
        f"candidates; the largest process takes {together.peak_mib:.0f} MiB."
    )
    print(f"- Two workers are {apart / together.seconds:.2f} times as fast as two builds by one worker each at once.")


def show_variants(rounds: list[dict[str, Measured]]) -> None:
    print("| variant | captions/s | catlip is faster by | spread |\n| --- | --- | --- | --- |")
    for name in VARIANTS:
        ratios = [found[name].seconds / found[CHUNKS_VARIANT].seconds for found in rounds]
        rate = MEASURED / statistics.median(found[name].seconds for found in rounds)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if name != CHUNKS_VARIANT else ""
        print(f"| {name} | {rate:,.0f} | {statistics.median(ratios):.2f} x | {spread} |")
    print()


def show_stages(rounds: list[dict[str, Measured]]) -> None:
    for name in (CHUNKS_VARIANT, TAGS_VARIANT, DISTILLED_VARIANT):
        stages = [found[name].stages for found in rounds]
        shares = {stage: statistics.median(each[stage] / sum(each.values()) for each in stages) for stage in stages[0]}
        print(f"- {name}: " + ", ".join(f"{stage} {100 * share:.1f} %" for stage, share in shares.items()) + ".")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("spacy", "thinc", "blis", "numpy"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("captions", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    main(asked.captions, asked.rounds)
