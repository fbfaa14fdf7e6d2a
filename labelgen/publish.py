"""Candidate shards → label set: count, prune, encode, and vouch for the result. No caption is parsed here."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from labelgen import candidates
from labelgen.arrays.memory import collections_spared
from labelgen.classes import examples
from labelgen.classes.edit import Edit, edit_of
from labelgen.classes.edited import Edited
from labelgen.classes.encode import Encoded, Encoder, encode_shard
from labelgen.classes.examples import Examples, Gathering
from labelgen.classes.support import Cooccurrence, Support, vocabulary
from labelgen.distill import keep
from labelgen.extract import Settings
from labelgen.meaning.resolve import Choice, Language
from labelgen.meaning.unpruned import Unpruned
from labelgen.sources.sample import InputShard
from labelshards import parquet, schema, storage
from labelshards.labelset import FailedShard, LabelSet, Manifest, Provenance, ShardEntry, Totals
from labelshards.schema import COMPOUNDS, HYPERNYMS


class Steps:
    """Counts steps, and tells somebody."""

    def __init__(self, on_step: Callable[[int, int], None], total: int) -> None:
        self._on_step, self._total, self._done = on_step, total, 0
        on_step(0, total)

    def take(self) -> None:
        """One more is done."""
        self._done += 1
        self._on_step(self._done, self._total)


def publish(
    *,
    out: str,
    shards: Sequence[InputShard],
    language: Language,
    choice: Choice,
    vocabulary_from: str | None,
    settings: Settings,
    sources: Sequence[str],
    fingerprint: str,
    failed: list[FailedShard],
    on_step: Callable[[int, int], None],
    candidate_folder: str | None = None,
    edit: Edit | None = None,
) -> Manifest:
    """Write the label set of `shards`, all of them extracted, three in memory at most.

    The vocabulary is counted and pruned as `choice` says, or taken from the label set `vocabulary_from`. Until the
    manifest is written, last, the folder is no label set. `on_step` hears of steps done and in all. candidate_folder:
    where the shards are, if not in `out`. edit: decisions about single classes; those with which a vocabulary that is
    taken was made hold by themselves. Raises CatlipError if no class is left.
    """
    steps = Steps(on_step, len(shards) * (2 if vocabulary_from is None else 1))
    folder = candidate_folder or candidates.folder_of(out)
    given = LabelSet.open(vocabulary_from) if vocabulary_from else None
    edit = edit_of(given) if given else edit
    chosen = Unpruned(folder, [shard.name for shard in shards], language, choice)
    unpruned = Edited(chosen, folder, edit) if edit and not edit.is_empty() else chosen
    if given is None:
        support = Support(choice.families)
        for counted in _ahead(lambda shard: unpruned.support(shard.name), shards, 2):
            support.add(counted)
            steps.take()
        chosen.let_go()
        vocab = vocabulary(support, language.synsets, choice.families, edit.max_classes if edit else None)
    else:
        vocab = given.vocabulary
    storage.remove(storage.join(out, schema.MANIFEST_NAME))

    encoder = Encoder(vocab)
    cooccurrence = Cooccurrence(len(vocab))
    told = _Told(folder, unpruned, choice, encoder)
    entries: list[ShardEntry] = []
    totals: Counter[str] = Counter(samples=0, labelled=0, images=0, captions=0, labels=0)
    problems: Counter[str] = Counter()

    def encode(shard: InputShard) -> Encoded:
        return encode_shard(
            candidate_folder=folder,
            out=out,
            source=shard.uri,
            name=shard.name,
            resolved=list(unpruned.labels(shard.name).values()),
            encoder=encoder,
            digest=vocab.digest,
        )

    for shard, (entry, encoded, report) in zip(shards, _ahead(encode, shards, 1), strict=True):
        entries.append(entry)
        steps.take()
        cooccurrence.add(encoded)
        told.add(shard.name)
        problems.update(report.problems)
        totals.update(samples=entry.rows, labelled=entry.labelled, images=entry.images)
        totals.update(captions=report.captions, labels=len(encoded.values))
    _remove_strangers(out, entries)

    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(cooccurrence.table()),
        schema.EXAMPLES_NAME: parquet.to_bytes(told.table()),
    }
    tools = settings.tools
    if settings.table:
        files[schema.DISTILLED_NAME] = keep.read_bytes(folder)
        tools = {**tools, "distilled": keep.provenance(keep.read(folder, settings.table))}
    else:
        storage.remove(storage.join(out, schema.DISTILLED_NAME))
    for name, data in files.items():
        storage.write_bytes(storage.join(out, name), data)
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint=fingerprint,
        threshold=choice.families[schema.NOUNS] if vocabulary_from is None else None,
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
                "nouns": settings.nouns,
                "fields": msgspec.to_builtins(settings.fields),
                "terms": settings.terms,
                **msgspec.to_builtins(choice),
                **({schema.EDIT: msgspec.to_builtins(edit)} if edit and not edit.is_empty() else {}),
            },
            tools=tools,
        ),
        shards=entries,
        failed=failed,
    )
    storage.write_bytes(storage.join(out, schema.MANIFEST_NAME), manifest.to_bytes())
    return manifest


_Made = TypeVar("_Made")


def _ahead(make: Callable[[InputShard], _Made], shards: Sequence[InputShard], num_threads: int) -> Iterator[_Made]:
    """What `make` gives for each shard, in order; while one is looked at here, threads make the next ones.

    Most of that is reading, sorting, packing and writing, for which threads need not wait for each other.
    """
    with ThreadPoolExecutor(num_threads) as threads:
        under_way: deque[Future[_Made]] = deque()
        for shard in shards:
            under_way.append(threads.submit(make, shard))
            if len(under_way) > num_threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


class _Told:
    """The examples of all families, as an earlier run kept them, or gathered now."""

    def __init__(self, folder: str, unpruned: Unpruned | Edited, choice: Choice, encoder: Encoder) -> None:
        self._folder, self._unpruned, self._encoder = folder, unpruned, encoder
        self._kept: list[Examples] = []
        self._gathering: dict[str, Gathering] = {}
        for family in (each for each in choice.families if each != HYPERNYMS):  # which no term produced
            wanted = np.sort(encoder.numbers) if family == COMPOUNDS else None
            kept = examples.read(folder, family, unpruned.key(family))
            if kept is not None and (wanted is None or kept.tells(wanted)):
                self._kept.append(kept)
            else:
                self._gathering[family] = Gathering(wanted)

    def add(self, name: str) -> None:
        """Add one shard; call it in the order of the shards."""
        with collections_spared():
            for family, gathering in self._gathering.items():
                gathering.add(self._folder, name, *self._unpruned.produced(name, family))

    def table(self) -> pa.Table:
        """What is told of the classes; what was gathered without decisions is kept."""
        gathered = {family: gathering.examples() for family, gathering in self._gathering.items()}
        for family, found in gathered.items() if isinstance(self._unpruned, Unpruned) else ():
            examples.write(self._folder, family, self._unpruned.key(family), found)
        return examples.table([*self._kept, *gathered.values()], self._encoder)


def _remove_strangers(out: str, entries: Sequence[ShardEntry]) -> None:
    """Delete label shards that an earlier build with other sources left: the manifest does not vouch for them.

    And what killed ones left half-written.
    """
    folder = storage.join(out, schema.SHARD_FOLDER)
    for part in (out, folder):
        storage.remove_leftovers(part)
    for name in set(storage.list_files(folder)) - {f"{entry.name}.parquet" for entry in entries}:
        if name.endswith(".parquet"):
            storage.remove(storage.join(folder, name))
