"""Candidate shards → label set: count, prune, encode, and vouch for the result. No caption is parsed here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import msgspec

from labelgen import candidates
from labelgen.encode import Encoder, synset_id
from labelgen.extract import Settings
from labelgen.lexicon import Synset
from labelgen.sources.sample import InputShard
from labelgen.support import Cooccurrence, Examples, Support, vocabulary
from labelshards import parquet, schema, storage
from labelshards.labelset import FailedShard, LabelSet, Manifest, Provenance, ShardEntry, Totals
from labelshards.vocabulary import Vocabulary


def publish(
    *,
    out: str,
    shards: Sequence[InputShard],
    synsets: Mapping[int, Synset],
    threshold: int,
    vocabulary_from: str | None,
    settings: Settings,
    sources: Sequence[str],
    fingerprint: str,
    failed: list[FailedShard],
) -> Manifest:
    """Write the label set of `shards`, all of them extracted, one shard in memory at a time.

    The vocabulary is counted and pruned at `threshold`, or taken from the label set `vocabulary_from`. Until the
    manifest is written, last, the folder is no label set. Raises CatlipError if no class is left.
    """
    folder = candidates.folder_of(out)
    if vocabulary_from is None:
        vocab = _count(folder, shards, synsets, threshold)
    else:
        vocab = LabelSet.open(vocabulary_from).vocabulary
    storage.remove(storage.join(out, schema.MANIFEST_NAME))

    encoder = Encoder(vocab)
    cooccurrence = Cooccurrence(len(vocab))
    examples = Examples({synset_id(wnid): class_id for class_id, wnid in enumerate(vocab.wnids)})
    entries: list[ShardEntry] = []
    totals: Counter[str] = Counter(samples=0, labelled=0, images=0, captions=0, labels=0)
    problems: Counter[str] = Counter()
    for shard in shards:
        candidate = candidates.read(folder, shard.name)
        encoded = encoder.encode(candidate)
        name = f"{schema.SHARD_FOLDER}/{shard.name}.parquet"
        encoded.check(len(vocab), name)
        data = encoded.to_bytes(vocab.digest)
        storage.write_bytes(storage.join(out, name), data)
        entry = ShardEntry(
            name=shard.name,
            rows=len(encoded),
            labelled=encoded.num_labelled,
            images=candidate.report.images,
            bytes=len(data),
            xxh3_64=storage.digest(data),
            source=shard.uri,
            damage=candidate.report.damage,
        )
        entries.append(entry)
        cooccurrence.add(encoded)
        examples.add(candidates.read_terms(folder, shard.name))
        problems.update(candidate.report.problems)
        totals.update(samples=entry.rows, labelled=entry.labelled, images=entry.images)
        totals.update(captions=candidate.report.captions, labels=len(encoded.values))
    _remove_strangers(out, entries)

    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(cooccurrence.table()),
        schema.EXAMPLES_NAME: parquet.to_bytes(examples.table()),
    }
    for name, data in files.items():
        storage.write_bytes(storage.join(out, name), data)
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint=fingerprint,
        threshold=threshold if vocabulary_from is None else None,
        vocabulary_digest=vocab.digest,
        vocabulary_from=vocabulary_from and storage.absolute(vocabulary_from),
        with_captions=settings.keep_captions,
        totals=Totals(**totals, classes=len(vocab), problems=dict(sorted(problems.items()))),
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(
            catlip=version("catlip"),
            sources=list(sources),
            labeler=settings.labeler,
            settings={
                "rules": settings.rules,
                "fields": msgspec.to_builtins(settings.fields),
                "stoplist": settings.stoplist,
            },
            spacy=settings.spacy,
            wordnet=settings.wordnet,
        ),
        shards=entries,
        failed=failed,
    )
    storage.write_bytes(storage.join(out, schema.MANIFEST_NAME), manifest.to_bytes())
    return manifest


def _count(folder: str, shards: Sequence[InputShard], synsets: Mapping[int, Synset], threshold: int) -> Vocabulary:
    support = Support(synsets)
    for shard in shards:
        support.add(candidates.read(folder, shard.name))
    return vocabulary(support, synsets, threshold)


def _remove_strangers(out: str, entries: Sequence[ShardEntry]) -> None:
    """Delete label shards that an earlier build with other sources left: the manifest does not vouch for them."""
    folder = storage.join(out, schema.SHARD_FOLDER)
    storage.remove_leftovers(folder)
    for name in set(storage.list_files(folder)) - {f"{entry.name}.parquet" for entry in entries}:
        if name.endswith(".parquet"):
            storage.remove(storage.join(folder, name))
