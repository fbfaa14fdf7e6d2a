"""Candidate shards → label set: count, prune, encode, and vouch for the result. No caption is parsed here."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version

import msgspec

from labelgen import candidates, edited, policies, resolved
from labelgen.atlas import read_atlas
from labelgen.distill import keep
from labelgen.edit import Edit, Edits, edit_of
from labelgen.encode import Encoder, encode_shard
from labelgen.examples import Examples
from labelgen.extract import Settings
from labelgen.resolve import Choice, Language, Resolver, make_resolver
from labelgen.resolved import ResolvedShard
from labelgen.sources.sample import InputShard
from labelgen.support import Cooccurrence, Support, vocabulary
from labelshards import parquet, schema, storage
from labelshards.labelset import FailedShard, LabelSet, Manifest, Provenance, ShardEntry, Totals

# A million samples or so tell enough of a corpus, if they are taken from everywhere.
_STATISTICS_SHARDS = 100
_STATISTICS_SAMPLES = 1 << 20


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
    """Write the label set of `shards`, all of them extracted, one shard in memory at a time.

    The vocabulary is counted and pruned as `choice` says, or taken from the label set `vocabulary_from`. Until the
    manifest is written, last, the folder is no label set. `on_step` hears of steps done and in all. candidate_folder:
    where the shards are, if not in `out`. edit: decisions about single classes; those with which a vocabulary that is
    taken was made hold by themselves. Raises CatlipError if no class is left.
    """
    steps = Steps(on_step, len(shards) * (2 if vocabulary_from is None else 1))
    folder = candidate_folder or candidates.folder_of(out)
    given = LabelSet.open(vocabulary_from) if vocabulary_from else None
    edit = edit_of(given) if given else edit
    labels = _Labels(folder, [shard.name for shard in shards], language, choice, edit)
    if given is None:
        support = Support(choice.families)
        for shard in shards:
            support.add(labels.of(shard.name))
            steps.take()
        vocab = vocabulary(support, language.synsets, choice.families, edit.max_classes if edit else None)
    else:
        vocab = given.vocabulary
    storage.remove(storage.join(out, schema.MANIFEST_NAME))

    encoder = Encoder(vocab)
    cooccurrence = Cooccurrence(len(vocab))
    examples = Examples(encoder)
    entries: list[ShardEntry] = []
    totals: Counter[str] = Counter(samples=0, labelled=0, images=0, captions=0, labels=0)
    problems: Counter[str] = Counter()
    for shard in shards:
        of_shard = labels.of(shard.name)
        entry, encoded, report = encode_shard(
            candidate_folder=folder,
            out=out,
            source=shard.uri,
            name=shard.name,
            resolved=of_shard,
            encoder=encoder,
            digest=vocab.digest,
        )
        entries.append(entry)
        steps.take()
        cooccurrence.add(encoded)
        examples.add(folder, shard.name, of_shard)
        problems.update(report.problems)
        totals.update(samples=entry.rows, labelled=entry.labelled, images=entry.images)
        totals.update(captions=report.captions, labels=len(encoded.values))
    _remove_strangers(out, entries)

    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(cooccurrence.table()),
        schema.EXAMPLES_NAME: parquet.to_bytes(examples.table()),
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


class _Labels:
    """The labels of all shards before any is pruned, chosen where no earlier run with the same choice did it."""

    def __init__(
        self, folder: str, names: Sequence[str], language: Language, choice: Choice, edit: Edit | None
    ) -> None:
        self._folder, self._names, self._language, self._choice = folder, names, language, choice
        self._edits = Edits(edit, read_atlas()) if edit and not edit.is_empty() else None
        reports = [candidates.read_report(folder, name) for name in names]
        prints = [(name, report.fingerprint if report else "") for name, report in zip(names, reports, strict=True)]
        self._key = resolved.key_of(choice, prints)

    def of(self, name: str) -> ResolvedShard:
        """One shard. Raises CatlipError if its candidates are gone or broken."""
        found = resolved.read(self._folder, name, self._key)
        if found is None:
            chosen = self._resolver.resolve(candidates.read_mentions(self._folder, name))
            found = resolved.pack_labels(chosen)
            resolved.write(self._folder, name, self._key, found)
        if self._edits is None:
            return found
        texts = candidates.read_texts(self._folder, name)
        return edited.apply(self._edits, found, texts, lambda: candidates.read_mentions(self._folder, name))

    @cached_property
    def _resolver(self) -> Resolver:
        of_context = self._choice.senses == policies.CONTEXT
        told = self._names[:: max(1, len(self._names) // _STATISTICS_SHARDS)] if of_context else []
        return make_resolver(
            (candidates.read_entries(self._folder, name) for name in self._names),
            (candidates.read_mentions(self._folder, name).first(_STATISTICS_SAMPLES // len(told) + 1) for name in told),
            self._language,
            self._choice,
        )


def _remove_strangers(out: str, entries: Sequence[ShardEntry]) -> None:
    """Delete label shards that an earlier build with other sources left: the manifest does not vouch for them."""
    folder = storage.join(out, schema.SHARD_FOLDER)
    storage.remove_leftovers(folder)
    for name in set(storage.list_files(folder)) - {f"{entry.name}.parquet" for entry in entries}:
        if name.endswith(".parquet"):
            storage.remove(storage.join(folder, name))
