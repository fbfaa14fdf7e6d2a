"""How long a look at a full-size vocabulary takes: `catlip vocab inspect`, and one class of it.

    python benchmarks/vocab_scale.py FOLDER [--classes 40000] [--pairs 5000000]

FOLDER gets a label set of real synsets whose support falls as in captions, with invented samples, pairs and terms.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelgen.arrays.ragged import Rows, distinct, offsets
from labelgen.dictionary.wordnet import Pos, synset_id, wnid_of
from labelgen.meaning.atlas import Atlas, read_atlas
from labelshards import parquet, schema, storage
from labelshards.images import ImageFile
from labelshards.labelset import Manifest, Provenance, ShardEntry, Totals
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

ROWS = 10_000
LABELS_A_SAMPLE = 10
REPEATS = 5
IMAGE_BYTES = 512


def make(
    folder: str,
    num_classes: int = 40_000,
    num_pairs: int = 5_000_000,
    num_samples: int = 200_000,
    rows: int = ROWS,
) -> str:
    """Write a finished label set to `folder`, and return it. `labels verify` passes; the pairs are invented.

    rows: of each shard.
    """
    random = np.random.default_rng(0)
    labels = invent_labels(random, num_classes, num_samples)
    counted = np.bincount(labels.values, minlength=num_classes)
    by_support = np.argsort(-counted, kind="stable")
    support = counted[by_support]
    class_of = np.argsort(by_support)
    vocab = invent_vocabulary(random, read_atlas(), support)
    entries = []
    for number, first in enumerate(range(0, num_samples, rows)):
        starts = labels.starts[first : first + rows + 1]
        row_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        keys = np.sort(row_of * num_classes + class_of[labels.values[starts[0] : starts[-1]]])
        entries.append(write_shard(folder, f"{number:05d}", vocab, starts - starts[0], keys % num_classes))
    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(invent_pairs(random, support, num_pairs)),
        schema.EXAMPLES_NAME: parquet.to_bytes(invent_examples(random, vocab)),
    }
    for name, data in files.items():
        storage.write_bytes(storage.join(folder, name), data)
    totals = Totals(
        samples=num_samples,
        labelled=sum(entry.labelled for entry in entries),
        images=num_samples,
        captions=num_samples,
        labels=len(labels.values),
        classes=num_classes,
        problems={},
    )
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint="invented",
        threshold=int(support.min()) - 1,
        vocabulary_digest=vocab.digest,
        vocabulary_from=None,
        with_captions=False,
        totals=totals,
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(catlip="0", sources=["invented"], labeler="noun-chunks", settings={}, tools={}),
        shards=entries,
        failed=[],
    )
    storage.write_bytes(storage.join(folder, schema.MANIFEST_NAME), manifest.to_bytes())
    return folder


def invent_labels(random: np.random.Generator, num_classes: int, num_samples: int) -> Rows:
    """Labels of each sample, unique; class r comes about 1/r as often as class 1, and every class comes."""
    drawn = np.exp(random.uniform(0, np.log(num_classes), num_samples * LABELS_A_SAMPLE)).astype(np.int64)
    drawn[: 3 * num_classes] = np.tile(np.arange(num_classes), 3)[: len(drawn)]
    rows = random.permutation(len(drawn)) % num_samples
    keys = distinct(rows * num_classes + np.minimum(drawn, num_classes - 1))
    rows, values = np.divmod(keys, num_classes)
    return Rows(offsets(np.bincount(rows, minlength=num_samples)), values)


def invent_vocabulary(random: np.random.Generator, atlas: Atlas, support: np.ndarray) -> Vocabulary:
    nouns = np.flatnonzero(atlas.ids < synset_id(Pos.VERB, 0))
    places = random.permutation(nouns)[: len(support)]
    columns = {
        "class_id": pa.array(np.arange(len(places)), pa.uint32()),
        "family": pa.array([schema.NOUNS] * len(places)),
        "wnid": pa.array([wnid_of(number) for number in atlas.ids[places].tolist()]),
        "synset": pa.array([atlas.names[place] for place in places.tolist()]),
        "lemmas": atlas.lemmas.take(pa.array(places)).cast(schema.VOCABULARY.field("lemmas").type),
        "gloss": atlas.glosses.take(pa.array(places)),
        "lexname": atlas.lexnames.take(pa.array(places)),
        "support": pa.array(support),
    }
    return Vocabulary(pa.table([columns[name] for name in schema.VOCABULARY.names], schema=schema.VOCABULARY))


def invent_pairs(random: np.random.Generator, support: np.ndarray, num_pairs: int) -> pa.Table:
    num_classes = len(support)
    keys = np.empty(0, np.int64)
    while len(keys) < num_pairs:
        drawn = np.exp(random.uniform(0, np.log(num_classes), (2, 2 * num_pairs))).astype(np.int64) - 1
        drawn.sort(axis=0)
        keys = distinct(np.append(keys, (drawn[0] * num_classes + drawn[1])[drawn[0] < drawn[1]]))
        keys = np.append(keys, random.integers(0, num_classes - 1, num_pairs // 4) * num_classes + num_classes - 1)
    keys = np.sort(random.permutation(distinct(keys))[:num_pairs])
    a, b = np.divmod(keys, num_classes)
    together = 3 + random.poisson(support[a] * (support[b] / support.sum()))
    return pa.table(
        [pa.array(a, pa.uint32()), pa.array(b, pa.uint32()), pa.array(together, pa.int64())], schema.COOCCURRENCE
    )


def invent_examples(random: np.random.Generator, vocab: Vocabulary) -> pa.Table:
    rows = []
    for class_id, (lemmas, support) in enumerate(zip(vocab.lemmas, vocab.support.tolist(), strict=True)):
        left = support
        for lemma in lemmas[:3]:
            count = 1 + int(left * random.random())
            captions = [f"a photograph of a {lemma} beside something else, number {at}" for at in range(3)]
            rows.append({"class_id": class_id, "term": lemma.lower(), "count": count, "captions": captions})
            left = max(0, left - count)
    return pa.Table.from_pylist(rows, schema.EXAMPLES)


def write_shard(folder: str, name: str, vocab: Vocabulary, starts: np.ndarray, values: np.ndarray) -> ShardEntry:
    num_rows = len(starts) - 1
    shard = LabelShard(
        keys=pa.array([f"{name}{row:04d}" for row in range(num_rows)]),
        offsets=starts,
        values=values.astype(np.uint32),
        images=pa.StructArray.from_arrays(
            [
                pa.array(np.zeros(num_rows, np.uint16)),
                pa.array(np.arange(num_rows, dtype=np.int64) * 2 * IMAGE_BYTES + IMAGE_BYTES),
                pa.array(np.full(num_rows, IMAGE_BYTES, np.int32)),
            ],
            fields=list(schema.IMAGE),
        ),
        image_files=(ImageFile(uri=f"{name}.tar", bytes=2 * num_rows * IMAGE_BYTES),),
    )
    data = shard.to_bytes(vocab.digest)
    storage.write_bytes(storage.join(folder, schema.SHARD_FOLDER, f"{name}.parquet"), data)
    return ShardEntry(
        name=name,
        rows=num_rows,
        labelled=shard.num_labelled,
        images=num_rows,
        bytes=len(data),
        xxh3_64=storage.digest(data),
        source=f"{name}.tsv",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--classes", type=int, default=40_000)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    arguments = parser.parse_args()
    folder = arguments.folder
    if not Path(folder, schema.MANIFEST_NAME).exists():
        make(folder, arguments.classes, arguments.pairs)
    command = [sys.executable, "-m", "catlip_cli.main", "vocab"]
    name = Vocabulary.from_bytes(Path(folder, schema.VOCABULARY_NAME).read_bytes(), folder).synsets[100]
    for what, words in {
        "nothing (--help)": ["--help"],
        "inspect": ["inspect", folder],
        "inspect --json, all classes": ["inspect", folder, "--json", "--limit", "0"],
        "inspect --class": ["inspect", folder, "--class", name],
        "inspect --html": ["inspect", folder, "--html", f"{folder}.html"],
        "coverage of ImageNet-1k": ["coverage", folder, "--against", "imagenet-1k"],
        "diff with itself": ["diff", folder, folder],
    }.items():
        took = sorted(seconds(command + words) for _ in range(REPEATS))
        print(f"{what:<28} {took[REPEATS // 2]:.2f} s ({took[0]:.2f} to {took[-1]:.2f})")


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
