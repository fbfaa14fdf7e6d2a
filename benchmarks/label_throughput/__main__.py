"""How fast labelling is, as ratios against spaCy's own ways and the published rule, all measured in this run.

    python -m benchmarks.label_throughput CAPTIONS.tsv [--more SOURCE...] [--varied N] [--rounds 3]

CAPTIONS.tsv: `caption<TAB>url` lines, 10,000 or more, for example CC3M's validation file. Whole builds are made of
them, once more of them with the captions of --more, whatever `catlip labels build` reads, and with --varied once of N
captions: all of these, and from their second round on each with two words of another. Each variant has a process of its
own, because what one sets up (spaCy's matrix library, for one) would change the next; in each round all of them take
the same captions, which none has met before. Times are CPU seconds on one core, so that what else the machine does
counts for less; the ratios are what to look at.
"""

import argparse
import multiprocessing
import os
import platform
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from benchmarks.label_soak import varied
from benchmarks.label_throughput import builds, variants
from benchmarks.label_throughput.variants import CHUNKS, COMPARED, DISTILLED, TAGS, VARIANTS, Measured
from labelgen.engines.worker import ONE_THREAD
from labelgen.parsing import nouns
from labelgen.sources import plan, read
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Sample

_CAPTIONS_A_ROUND = 1_000


def main(corpus: Path, more: list[str], num_varied: int, num_rounds: int) -> None:
    texts = [line.partition("\t")[0] for line in corpus.read_text().splitlines()]
    corpora = [texts, [*texts, *captions_of(more)]] if more else [texts]
    if num_varied:
        corpora.append(list(islice(varied(corpora[-1]), num_varied)))
    rounds = [texts[number * _CAPTIONS_A_ROUND :][:_CAPTIONS_A_ROUND] for number in range(num_rounds)]
    samples = [random.Random(0).sample(own, _CAPTIONS_A_ROUND) for own in corpora[1:]]
    found = measured([*rounds, *samples], texts[num_rounds * _CAPTIONS_A_ROUND :])
    with processes(2) as pool:
        different = pool.submit(variants.differences, texts)
        tags, chunks = (pool.submit(variants.labels_by, choice, texts) for choice in (nouns.TAGS, nouns.CHUNKS))
        agreement = f1(tags.result(), chunks.result())
        words_differ, tags_differ, chunks_differ = different.result()
    with processes(1) as pool:
        whole = [pool.submit(builds.build, own, own is not corpora[-1] or not num_varied).result() for own in corpora]
    print(f"{time.strftime('%Y-%m-%d')}, {processor()}, Python {platform.python_version()}, {versions()}\n")
    show_variants(found[:num_rounds])
    show_whole(whole, [found[:num_rounds], *([each] for each in found[num_rounds:])])
    show_stages(found[:num_rounds])
    print(
        f"- Captions, of {len(texts):,}, with other words than spaCy's: {words_differ}; tags: {tags_differ}; noun "
        f"chunks: {chunks_differ}."
    )
    print(f"- Labels of --nouns tags against those of chunks: F1 {agreement:.3f}.")
    print(f"- A worker takes {max(each[CHUNKS].peak_mib for each in found):.0f} MiB.")


def captions_of(uris: list[str]) -> list[str]:
    """All captions of sources, one a line as they will stand in a TSV."""
    found = (sample for shard in plan(uris, Fields()) for sample in read(shard, Fields()) if isinstance(sample, Sample))
    return [" ".join(caption.split()) for sample in found for caption in sample.captions]


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


def show_variants(rounds: list[dict[str, Measured]]) -> None:
    """Against candidates, in the middle of a long run."""
    print("| variant | captions/s | candidates are faster by | spread |")
    print("| --- | --- | --- | --- |")
    for name in VARIANTS:
        ratios = [found[name].seconds / found[CHUNKS].seconds for found in rounds]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| {name} | {1 / seconds_of(name, rounds):,.0f} | {statistics.median(ratios):.2f} x | {spread} |")


def show_whole(whole: list[builds.Build], samples: list[list[dict[str, Measured]]]) -> None:
    """Whole builds, all processes from their start on, against rates of the others without theirs, on samples."""
    print("\nWhole builds by one worker (TSV in, label set out), CPU seconds of all processes with their start; the")
    print("others by their rate on samples of a thousand captions, without their start.\n")
    print("| | " + " | ".join(f"{each.num_captions:,} captions" for each in whole) + " |")
    print("| --- |" + " --- |" * len(whole))
    print("| catlip, CPU seconds | " + " | ".join(f"{each.seconds:.1f}" for each in whole) + " |")
    rates = [f"{each.num_captions / each.seconds:,.0f}" for each in whole]
    print("| … captions/s | " + " | ".join(rates) + " |")
    for name in COMPARED:
        pairs = zip(whole, samples, strict=True)
        ratios = [f"{each.num_captions * seconds_of(name, own) / each.seconds:.2f} x" for each, own in pairs]
        print(f"| faster than {name} by | " + " | ".join(ratios) + " |")
    ratios = ["" if each.two_workers is None else f"{each.two_workers:.2f} x" for each in whole]
    print("| two workers are faster than two builds at once by | " + " | ".join(ratios) + " |")
    print("| beside the parse, of a worker | " + " | ".join(f"{each.beside_parse:.0%}" for each in whole) + " |")
    print(
        "| choosing senses and writing labels, seconds | "
        + " | ".join(f"{e.publish_seconds:.1f}" for e in whole)
        + " |"
    )
    print("| bytes a sample, with candidates | " + " | ".join(f"{each.bytes_per_sample:.0f}" for each in whole) + " |")
    print("| the process that leads, MiB | " + " | ".join(f"{each.peak_mib:.0f}" for each in whole) + " |\n")


def seconds_of(name: str, rounds: list[dict[str, Measured]]) -> float:
    return statistics.median(found[name].seconds for found in rounds)


def show_stages(rounds: list[dict[str, Measured]]) -> None:
    for name in (CHUNKS, TAGS, DISTILLED):
        stages = [found[name].stages for found in rounds]
        shares = {stage: statistics.median(each[stage] / sum(each.values()) for each in stages) for stage in stages[0]}
        print(f"- {name}: " + ", ".join(f"{stage} {100 * share:.1f} %" for stage, share in shares.items()) + ".")
        if name == CHUNKS:
            beside = 1e6 * seconds_of(name, rounds) * (1 - shares["parse"])
            print(f"- Beside the parse: {beside:.0f} µs a caption, {100 * (1 - shares['parse']):.0f} % of all.")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("spacy", "thinc", "blis", "numpy", "numba"))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("captions", type=Path)
    arguments.add_argument("--more", nargs="*", default=[], metavar="SOURCE")
    arguments.add_argument("--varied", type=int, default=0, metavar="N", help="a third corpus, for example of 400,000")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    main(asked.captions, asked.more, asked.varied, asked.rounds)
