"""What becomes of candidates at scale: rows a second and memory, from the choice of senses to label shards.

    python benchmarks/label_scale.py LABELS [--shards 2000] [--policy first] [--spread]

LABELS: a label set of real captions that was built with its candidates kept. Its samples are dealt out anew, in other
orders, to shards of 10,000 rows, and these are repeated under other names: a twentieth, a fifth, and all of --shards.
Each scale has a process of its own, which prints its memory as it goes. --spread gives the nouns other names in each of
the twenty different shards, so that some 24,000 synsets are frequent enough to be classes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from labelgen import candidates, language_data
from labelgen.candidates import CandidateShard
from labelgen.dictionary.wordnet import Pos
from labelgen.mentions.gather import Entry, Example, terms_of
from labelgen.mentions.termtable import TermTable
from labelgen.options import Options, choice_for, load_language, load_lexicon, settings_for
from labelgen.publish import publish
from labelgen.sources.sample import InputShard
from labelshards import schema
from labelshards.images import ImageFile

ROWS = 10_000
VARIATIONS = 20
IMAGE_BYTES = 40_000
MARKS = 8
# Of the first publication, and of the one after it.
THRESHOLDS, SPREAD_THRESHOLDS = (500, 1_000), (500, 250)


def deal(source: str, folder: str, num_shards: int, spread: bool) -> int:
    """Write `num_shards` candidate shards made of the samples of a label set; returns their bytes."""
    of_source = candidates.folder_of(source)
    names = sorted(path.stem for path in Path(of_source).glob("*.terms"))
    table = TermTable()
    mentions = [candidates.read_mentions(of_source, name) for name in names]
    told = [candidates.read_captions(of_source, name).to_pylist() for name in names]
    for each in mentions:
        table.add(each.entries)
    terms = table.terms()
    entries: dict[Entry, int] = {}
    examples: list[list[str]] = []
    rows: list[list[int]] = []
    for each, captions in zip(mentions, told, strict=True):
        numbers, heads = table.numbers(each.entries).tolist(), each.entries.heads.tolist()
        own: list[int] = []
        for number, head, of_entry in zip(numbers, heads, captions, strict=True):
            entry = Entry(terms[number], -1 if head < 0 else entries[Entry(terms[numbers[head]], -1)])
            own.append(entries.setdefault(entry, len(entries)))
            if own[-1] == len(examples):
                examples.append(of_entry)
        rows += [
            [own[at] for at in each.values[start:end]]
            for start, end in zip(each.offsets, each.offsets[1:], strict=False)
        ]
    listed = list(entries)
    random = np.random.default_rng(0)
    nouns = clear_nouns() if spread else []
    for variation in range(min(VARIATIONS, num_shards)):
        own_names = spread_nouns(listed, nouns, random) if nouns else listed
        write_variation(folder, f"{variation:05d}", random, rows, own_names, examples)
    # By lot: in the order of their numbers, a sample of every twentieth shard would be twenty times the same one.
    for number, variation in enumerate(random.integers(0, VARIATIONS, num_shards)[VARIATIONS:].tolist(), VARIATIONS):
        for ending in ("terms", "parquet"):
            os.link(f"{folder}/{variation:05d}.{ending}", f"{folder}/{number:05d}.{ending}")
    return sum(Path(folder, f"{number:05d}.parquet").stat().st_size for number in range(num_shards))


def clear_nouns() -> list[str]:
    """The nouns of WordNet that have one sense, so that as many terms are as many synsets or nearly so."""
    lexicon = load_lexicon("noun-chunks", None, language_data.find_wordnet())
    return [noun for noun in lexicon.terms(Pos.NOUN) if len(lexicon.senses(noun)) == 1]


def spread_nouns(entries: list[Entry], nouns: list[str], random: np.random.Generator) -> list[Entry]:
    """The same entries, with another noun in the place of each."""
    texts = dict.fromkeys(entry.term.text for entry in entries if entry.term.pos is Pos.NOUN)
    chosen = random.choice(len(nouns), len(texts), replace=False).tolist()
    name_of = {text: nouns[at] for text, at in zip(texts, chosen, strict=True)}
    return [
        entry._replace(term=entry.term._replace(text=name_of[entry.term.text])) if entry.term.pos is Pos.NOUN else entry
        for entry in entries
    ]


def write_variation(
    folder: str,
    name: str,
    random: np.random.Generator,
    rows: list[list[int]],
    entries: list[Entry],
    examples: list[list[str]],
) -> None:
    chosen = random.integers(0, len(rows), ROWS).tolist()
    used = sorted({entry for row in chosen for entry in rows[row]})
    place = {entry: number for number, entry in enumerate(used)}
    first_row: dict[int, int] = {}
    mentions = []
    for row, source in enumerate(chosen):
        mentions.append(sorted(place[entry] for entry in rows[source]))
        for entry in mentions[-1]:
            first_row.setdefault(entry, row)
    offsets = np.cumsum(random.integers(1, 2 * IMAGE_BYTES // 512, ROWS)) * 512
    sizes = random.integers(1, IMAGE_BYTES, ROWS)
    images = pa.StructArray.from_arrays(
        [pa.array(np.zeros(ROWS, np.uint16)), pa.array(offsets), pa.array(sizes.astype(np.int32))],
        fields=list(schema.IMAGE),
    )
    report = candidates.Report(
        fingerprint=name,
        samples=ROWS,
        captions=ROWS,
        images=ROWS,
        problems={},
        damage=None,
        image_files=(ImageFile(uri=f"{name}.tar", bytes=int(offsets[-1]) + IMAGE_BYTES),),
    )
    shard = CandidateShard(
        keys=pa.array([f"{int(name):05d}{row:04d}" for row in range(ROWS)]),
        mentions=pa.array(mentions, schema.LABELS),
        images=images,
        captions=None,
        terms=terms_of(
            [
                Entry(entries[entry].term, -1 if entries[entry].head < 0 else place[entries[entry].head])
                for entry in used
            ],
            [
                [Example(first_row[place[entry]], text) for text in examples[entry][:2] if place[entry] in first_row]
                for entry in used
            ],
        ),
        report=report,
    )
    candidates.write(folder, name, shard)


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(out: str, num_shards: int, policy: str, thresholds: tuple[int, int]) -> None:
    """Publish once from the candidates, then again with another threshold; prints a line of JSON."""
    language = load_language("noun-chunks", None, None, language_data.find_wordnet())
    shards = [
        InputShard(name=f"{number:05d}", uri=f"{number:05d}.tar", format="tar", identity="", size=0)
        for number in range(num_shards)
    ]
    told: dict[str, object] = {"rows": num_shards * ROWS, "policy": policy}
    for stage, threshold in zip(("first", "again"), thresholds, strict=True):
        options = Options(sources=[], out=out, threshold=threshold, senses=policy)
        seconds = {"count": 0.0, "encode": 0.0}
        memory: list[int] = []
        last = time.process_time()

        def on_step(done: int, total: int) -> None:
            nonlocal last
            now = time.process_time()
            part = "count" if 2 * done <= total else "encode"
            seconds[part] += now - last  # noqa: B023
            last = now
            if done * MARKS // total > len(memory) - 1:  # noqa: B023
                memory.append(resident() >> 20)  # noqa: B023

        manifest = publish(
            out=out,
            shards=shards,
            language=language,
            choice=choice_for(options),
            vocabulary_from=None,
            settings=settings_for(options, language_data.spacy_model()),
            sources=["x"],
            fingerprint="x",
            failed=[],
            on_step=on_step,
        )
        seconds["encode"] += time.process_time() - last
        told[stage] = {"seconds": seconds, "memory": memory, "classes": manifest.totals.classes}
        told["bytes"] = sum(entry.bytes for entry in manifest.shards)
    status = Path("/proc/self/status").read_text()
    told["peak"] = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    sys.stdout.write(json.dumps(told) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels")
    parser.add_argument("--shards", type=int, default=2_000)
    parser.add_argument("--policy", default="first")
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--measure", metavar="OUT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure, asked.shards, asked.policy, SPREAD_THRESHOLDS if asked.spread else THRESHOLDS)
        return
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    found = []
    with tempfile.TemporaryDirectory() as out:
        folder = candidates.folder_of(out)
        Path(folder).mkdir()
        on_disk = deal(asked.labels, folder, asked.shards, asked.spread)
        for num_shards in (asked.shards // 20, asked.shards // 5, asked.shards):
            for kept in (*Path(folder).glob("*.resolved"), *Path(folder).glob("*.examples")):
                kept.unlink()
            command = [sys.executable, __file__, asked.labels, "--measure", out, "--shards", str(num_shards)]
            command += ["--policy", asked.policy, *["--spread"] * asked.spread]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found.append(json.loads(done.stdout))
        of_resolved = sum(file.stat().st_size for file in Path(folder).glob("*.resolved"))
    show(found, asked.policy, on_disk / (asked.shards * ROWS), of_resolved / (asked.shards * ROWS))


def show(found: list[dict[str, Any]], policy: str, of_candidates: float, of_resolved: float) -> None:
    console = Console(width=140)
    table = Table(title=f"policy {policy}, one process, thousand rows a second of CPU", title_justify="left")
    for column in (
        "rows",
        "classes",
        "choose, count",
        "encode",
        "all",
        "classes again",
        "count again",
        "encode again",
        "all again",
        "peak MB",
    ):
        table.add_column(column, justify="right")
    for told in found:
        rows, first, again = told["rows"], told["first"]["seconds"], told["again"]["seconds"]
        rates = [
            [f"{rows / max(1e-9, spent) / 1e3:,.0f}" for spent in (*seconds.values(), sum(seconds.values()))]
            for seconds in (first, again)
        ]
        classes = [f"{told[stage]['classes']:,}" for stage in ("first", "again")]
        table.add_row(f"{rows:,}", classes[0], *rates[0], classes[1], *rates[1], f"{told['peak']:,}")
    console.print(table)
    for told in found:
        console.print(f"{told['rows']:>12,} rows, MB at each eighth of the first run: {told['first']['memory']}")
        console.print(f"{'':>12}       and when it is published again: {told['again']['memory']}")
    labels = found[-1]["bytes"] / found[-1]["rows"]
    console.print(
        f"bytes a row: candidates {of_candidates:.1f} (and their terms), labels before pruning {of_resolved:.1f}, "
        f"label shards {labels:.1f}"
    )


if __name__ == "__main__":
    main()
