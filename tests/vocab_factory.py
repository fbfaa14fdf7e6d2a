"""Small label sets of real synsets, written without a build."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa

from labelgen.dictionary.wordnet import wnid_of
from labelgen.meaning.atlas import Atlas
from labelshards import parquet, schema, storage
from labelshards.labelset import LabelSet, Manifest, Provenance, ShardEntry, Totals
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary


def write_set(
    folder: Path,
    atlas: Atlas,
    samples: Sequence[Sequence[str]],
    terms: Mapping[str, Mapping[str, int]] | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    num_shards: int = 2,
) -> LabelSet:
    """A label set of samples, given by the names of their synsets.

    terms: synset → term → count; None is each synset's first lemma. vocabulary: one of another corpus.
    """
    root = str(folder)
    counts = Counter(name for sample in samples for name in set(sample))
    vocab = vocabulary or make_vocabulary(atlas, dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))))
    class_of = {name: number for number, name in enumerate(vocab.synsets)}
    rows = [sorted({class_of[name] for name in sample if name in class_of}) for sample in samples]
    entries = []
    for number, part in enumerate(np.array_split(np.arange(len(rows)), num_shards)):
        mine = [rows[row] for row in part.tolist()]
        entries.append(_write_shard(root, f"{number:05d}", mine, vocab))
    pairs = Counter(pair for row in rows for pair in combinations(row, 2))
    told = terms if terms is not None else {name: {_term(name): counts[name]} for name in vocab.synsets}
    examples = [
        {"class_id": class_of[name], "term": term, "count": count, "captions": [f"a caption with {term}"]}
        for name in vocab.synsets
        for term, count in sorted(told.get(name, {}).items(), key=lambda item: -item[1])
    ]
    pair_rows = [{"a": a, "b": b, "support": count} for (a, b), count in sorted(pairs.items()) if count >= 3]
    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.EXAMPLES_NAME: parquet.to_bytes(pa.Table.from_pylist(examples, schema.EXAMPLES)),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(pa.Table.from_pylist(pair_rows, schema.COOCCURRENCE)),
    }
    for name, data in files.items():
        storage.write_bytes(f"{root}/{name}", data)
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint="test",
        threshold=None if vocabulary else 0,
        vocabulary_digest=vocab.digest,
        vocabulary_from="elsewhere" if vocabulary else None,
        with_captions=False,
        totals=Totals(
            samples=len(rows),
            labelled=sum(map(bool, rows)),
            images=0,
            captions=len(rows),
            labels=sum(map(len, rows)),
            classes=len(vocab),
            problems={},
        ),
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(catlip="0", sources=[], labeler="test", settings={}, tools={}),
        shards=entries,
        failed=[],
    )
    storage.write_bytes(f"{root}/{schema.MANIFEST_NAME}", manifest.to_bytes())
    return LabelSet.open(root)


def make_vocabulary(atlas: Atlas, support: Mapping[str, int]) -> Vocabulary:
    """Real synsets by name, in this order, with these supports."""
    places = atlas.places_of(support)
    at = pa.array(places, pa.int64())
    letters = {"n": schema.NOUNS, "v": schema.ACTIONS, "a": schema.ATTRIBUTES}
    wnids = [wnid_of(int(atlas.ids[place])) for place in places]
    columns = {
        "class_id": pa.array(range(len(places)), pa.uint32()),
        "family": pa.array([letters[wnid[0]] for wnid in wnids], pa.string()),
        "wnid": pa.array(wnids, pa.string()),
        "synset": pa.array(list(support), pa.string()),
        "lemmas": atlas.lemmas.take(at).cast(schema.VOCABULARY.field("lemmas").type),
        "gloss": atlas.glosses.take(at),
        "lexname": atlas.lexnames.take(at),
        "support": pa.array(support.values(), pa.int64()),
    }
    return Vocabulary(pa.table([columns[name] for name in schema.VOCABULARY.names], schema=schema.VOCABULARY))


def _term(synset: str) -> str:
    return synset.split(".")[0].replace("_", " ")


def _write_shard(root: str, name: str, rows: Sequence[Sequence[int]], vocab: Vocabulary) -> ShardEntry:
    shard = LabelShard(
        keys=pa.array([f"{name}{row}" for row in range(len(rows))], pa.string()),
        offsets=np.cumsum([0, *map(len, rows)]),
        values=np.array([label for row in rows for label in row], np.uint32),
        images=pa.array([None] * len(rows), schema.IMAGE),
        image_files=(),
    )
    data = shard.to_bytes(vocab.digest)
    storage.write_bytes(f"{root}/{schema.SHARD_FOLDER}/{name}.parquet", data)
    return ShardEntry(
        name=name,
        rows=len(rows),
        labelled=shard.num_labelled,
        images=0,
        bytes=len(data),
        xxh3_64=storage.digest(data),
        source=f"{name}.tsv",
    )
