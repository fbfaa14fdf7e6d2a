"""How fast labelling is, as ratios against spaCy's own ways, all measured in this run on the same captions.

    python benchmarks/label_throughput.py CAPTIONS.tsv

CAPTIONS.tsv: `caption<TAB>url` lines, for example CC3M's validation file. Each measurement has a process and one core
of its own, because what one variant sets up (spaCy's matrix library, for one) would change the next.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import spacy
from rich.console import Console
from rich.table import Table

from labelgen import language_data
from labelgen.options import Options, make_extractor, settings_for
from labelgen.sources import plan

NUM_CAPTIONS = 1_500
ROUNDS = 3


def one_by_one(texts: list[str]) -> Callable[[], object]:
    nlp = spacy.load(language_data.spacy_model())
    return lambda: [list(nlp(text).noun_chunks) for text in texts]


def pipe_all(texts: list[str]) -> Callable[[], object]:
    nlp = spacy.load(language_data.spacy_model())
    return lambda: [list(doc.noun_chunks) for doc in nlp.pipe(texts)]


def pipe_lean(texts: list[str]) -> Callable[[], object]:
    nlp = spacy.load(language_data.spacy_model(), exclude=["ner", "lemmatizer"])
    return lambda: [list(doc.noun_chunks) for doc in nlp.pipe(texts)]


def catlip(texts: list[str]) -> Callable[[], object]:
    folder = tempfile.mkdtemp()
    tsv = Path(folder, "captions.tsv")
    tsv.write_text("".join(f"{text}\t\n" for text in texts))
    model = language_data.spacy_model()
    settings = settings_for(Options(sources=[str(tsv)], out=folder), model)
    extractor = make_extractor(settings, model, language_data.find_wordnet(), folder)
    (shard,) = plan([str(tsv)], settings.fields)
    return lambda: extractor.extract(shard)


VARIANTS = {
    "spaCy, one text at a time, all components": one_by_one,
    "nlp.pipe, all components": pipe_all,
    "nlp.pipe, without ner and lemmatizer": pipe_lean,
    "catlip: TSV in, candidate shard out": catlip,
}


def measure(name: str, texts: list[str]) -> float:
    work = VARIANTS[name](texts)
    work()  # once for what is filled on first use
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(corpus: Path) -> None:
    texts = [line.partition("\t")[0] for line in corpus.read_text().splitlines()[:NUM_CAPTIONS]]
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    spawn = multiprocessing.get_context("spawn")
    rounds = []
    for _ in range(ROUNDS):  # round by round, so that whatever else the machine does falls on all variants alike
        with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
            rounds.append({name: pool.submit(measure, name, texts).result() for name in VARIANTS})
    show(rounds)


def show(rounds: list[dict[str, float]]) -> None:
    ours = list(VARIANTS)[-1]
    table = Table(
        "variant", "captions/s", "catlip is faster by", "spread", title=f"{NUM_CAPTIONS:,} captions, one core"
    )
    for name in VARIANTS:
        ratios = [seconds[name] / seconds[ours] for seconds in rounds]
        rate = NUM_CAPTIONS / statistics.median(seconds[name] for seconds in rounds)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        table.add_row(name, f"{rate:,.0f}", f"{statistics.median(ratios):.2f} x", spread)
    Console(width=110).print(table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
