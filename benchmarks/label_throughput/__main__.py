"""How fast labelling is, as ratios against spaCy's own ways and the published rule, all measured in this run.

    python -m benchmarks.label_throughput CAPTIONS.tsv [--rounds 3]

CAPTIONS.tsv: `caption<TAB>url` lines, 10,000 or more, for example CC3M's validation file. Each variant has a process of
its own, because what one sets up (spaCy's matrix library, for one) would change the next; in each round all of them
take the same captions, which none has met before. Times are CPU seconds on one core, so that what else the machine
does counts for less; the ratios are what to look at.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.label_throughput import builds, variants
from benchmarks.label_throughput.variants import CHUNKS, DISTILLED, TAGS, VARIANTS, Measured
from labelgen import nouns
from labelgen.engines.worker import ONE_THREAD

_CAPTIONS_A_ROUND = 1_000
_WHOLE = "catlip: TSV in, label set out"


def main(corpus: Path, num_rounds: int) -> None:
    texts = [line.partition("\t")[0] for line in corpus.read_text().splitlines()]
    rounds = [texts[number * _CAPTIONS_A_ROUND :][:_CAPTIONS_A_ROUND] for number in range(num_rounds)]
    found = measured(rounds, texts[num_rounds * _CAPTIONS_A_ROUND :])
    with processes(2) as pool:
        different = pool.submit(variants.differences, texts)
        tags, chunks = (pool.submit(variants.labels_by, choice, texts) for choice in (nouns.TAGS, nouns.CHUNKS))
        agreement = f1(tags.result(), chunks.result())
        words_differ, tags_differ, chunks_differ = different.result()
    whole = builds.build(texts)
    print(f"{time.strftime('%Y-%m-%d')}, {processor()}, Python {platform.python_version()}, {versions()}\n")
    show_variants(found, whole.publishing)
    show_stages(found)
    print(f"- Publishing: {1e6 * whole.publishing:.0f} µs a caption.")
    print(
        f"- Captions, of {len(texts):,}, with other words than spaCy's: {words_differ}; tags: {tags_differ}; noun "
        f"chunks: {chunks_differ}."
    )
    print(f"- Labels of --nouns tags against those of chunks: F1 {agreement:.3f}.")
    print(
        f"- A label set of {len(texts):,} captions takes {whole.bytes_per_sample:.0f} bytes a sample with its "
        f"candidates; a worker takes {found[-1][CHUNKS].peak_mib:.0f} MiB, the process that leads "
        f"{whole.peak_mib:.0f} MiB."
    )
    print(f"- Two workers are {whole.two_workers:.2f} times as fast as two builds by one worker each at once.")


def processes(number: int) -> ProcessPoolExecutor:
    os.environ |= ONE_THREAD
    return ProcessPoolExecutor(number, mp_context=multiprocessing.get_context("spawn"))


def measured(rounds: list[list[str]], warm_up: list[str]) -> list[dict[str, Measured]]:
    """All variants, round by round, so that whatever else the machine does falls on all of them alike."""
    pools = {name: processes(1) for name in VARIANTS}
    try:
        names = list(VARIANTS)
        for two in zip(names[::2], [*names[1::2], *[None] * (len(names) % 2)], strict=True):
            for ready in [pools[name].submit(variants.prepare, name, warm_up) for name in two if name]:
                ready.result()
        return [
            {
                name: pools[name].submit(variants.measure, texts[: variant.captions]).result()
                for name, variant in VARIANTS.items()
            }
            for texts in rounds
        ]
    finally:
        for pool in pools.values():
            pool.shutdown()


def f1(ours: list[set[str]], theirs: list[set[str]]) -> float:
    both = sum(len(a & b) for a, b in zip(ours, theirs, strict=True))
    return 2 * both / (sum(map(len, ours)) + sum(map(len, theirs)))


def show_variants(rounds: list[dict[str, Measured]], publishing: float) -> None:
    """Against candidates, and against label sets, which take the seconds of publishing besides."""
    of_candidates = statistics.median(found[CHUNKS].seconds for found in rounds)
    print("| variant | captions/s | candidates are faster by | spread | label sets are faster by |")
    print("| --- | --- | --- | --- | --- |")
    for name in VARIANTS:
        seconds = statistics.median(found[name].seconds for found in rounds)
        ratios = [found[name].seconds / found[CHUNKS].seconds for found in rounds]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        whole = seconds / (of_candidates + publishing)
        print(f"| {name} | {1 / seconds:,.0f} | {statistics.median(ratios):.2f} x | {spread} | {whole:.2f} x |")
    print(f"| {_WHOLE} | {1 / (of_candidates + publishing):,.0f} | | | 1.00 x |\n")


def show_stages(rounds: list[dict[str, Measured]]) -> None:
    for name in (CHUNKS, TAGS, DISTILLED):
        stages = [found[name].stages for found in rounds]
        shares = {stage: statistics.median(each[stage] / sum(each.values()) for each in stages) for stage in stages[0]}
        print(f"- {name}: " + ", ".join(f"{stage} {100 * share:.1f} %" for stage, share in shares.items()) + ".")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("spacy", "thinc", "blis", "numpy", "numba"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("captions", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    main(asked.captions, asked.rounds)
