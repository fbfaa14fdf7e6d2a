"""Plan → extract → support → encode → manifest. What is done and still fits is never done again."""

import os
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from labelgen import candidates, labelers, language_data, lexicon, sources
from labelgen.engines import Done, run_local
from labelgen.extract import Extractor, Seconds, Settings, fingerprint
from labelgen.lexicon import Lexicon
from labelgen.nouns import model_provenance
from labelgen.publish import publish
from labelgen.sources import stdin
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard
from labelshards import schema, storage
from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import FailedShard, LabelSet, Manifest, is_intact, read_manifest

# Raise it when the same caption may get other labels than before: candidate shards made under other rules are refused.
RULES = 1
DEFAULT_THRESHOLD = 500
_LOCK_NAME = ".build.lock"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asks for.

    sources: what `sources.plan` takes, and `-` for standard input. fields: where in them things are.
    vocabulary_from: a label set whose vocabulary is taken instead of a new one. stoplist: leave out words about the
    picture itself (labelgen/stoplist.py).
    """

    sources: Sequence[str]
    out: str
    threshold: int = DEFAULT_THRESHOLD
    vocabulary_from: str | None = None
    labeler: str = labelers.DEFAULT
    fields: Fields = field(default_factory=Fields)
    stoplist: bool = True
    keep_captions: bool = False
    keep_candidates: bool = True
    num_workers: int = field(default_factory=lambda: num_cores())
    rebuild: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished label set, and what this run did for it. `seconds` adds up over the workers."""

    manifest: Manifest
    num_extracted: int
    num_captions: int
    wall_seconds: float
    seconds: Seconds
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Sent at the start and after each shard: shards done and in all, and this run's rate."""

    done: int
    total: int
    captions_per_second: float


def build(options: Options, on_progress: Callable[[Progress], None] = lambda _: None) -> Result:
    """Make, finish or update the label set at `options.out`.

    Raises CatlipError; whatever was extracted before stays, and the same call goes on from there.
    """
    if options.vocabulary_from and storage.absolute(options.vocabulary_from) == storage.absolute(options.out):
        raise CatlipError(f"{options.out} cannot take its vocabulary from itself. Choose another --out.")
    _refuse_strangers(options.out)
    with _lock(options.out), stdin.spooled(options.sources, options.fields.format, options.out) as inputs:
        return _build(options, inputs, on_progress)


def _build(options: Options, inputs: Sequence[str], on_progress: Callable[[Progress], None]) -> Result:
    start = time.monotonic()
    model = language_data.spacy_model()
    wordnet = language_data.find_wordnet()
    settings = settings_for(options, model)
    shards = sources.plan(inputs, options.fields)
    given = LabelSet.open(options.vocabulary_from).vocabulary if options.vocabulary_from else None
    goal = _goal(options, settings, shards, given.digest if given else None)

    manifest = _finished(options.out)
    folder = candidates.folder_of(options.out)
    if manifest is not None and _is_current(options.out, manifest, goal) and not options.rebuild:
        if not options.keep_candidates:
            storage.remove(folder)
        return Result(
            manifest=manifest, num_extracted=0, num_captions=0, wall_seconds=0.0, seconds=Seconds(), changed=False
        )

    _claim_candidates(folder, settings, rebuild=options.rebuild)
    synsets = lexicon.verify(wordnet)
    todo = [shard for shard in shards if not _is_done(folder, shard, settings)]
    make = partial(make_extractor, settings, model, wordnet, folder)
    failed: dict[str, str] = {}
    seconds = Seconds()
    num_captions = 0
    before = len(shards) - len(todo)
    on_progress(Progress(done=before, total=len(shards), captions_per_second=0.0))
    for number, outcome in enumerate(run_local(todo, make, options.num_workers), 1):
        if isinstance(outcome, Done):
            seconds += outcome.seconds
            num_captions += outcome.report.captions
        else:
            failed[outcome.shard.name] = outcome.reason
        rate = num_captions / (time.monotonic() - start)
        on_progress(Progress(done=before + number, total=len(shards), captions_per_second=rate))
    good = [shard for shard in shards if shard.name not in failed]
    if not good:
        raise CatlipError("No input shard could be read:\n" + "\n".join(f"  {reason}" for reason in failed.values()))

    manifest = publish(
        out=options.out,
        shards=good,
        synsets=synsets,
        threshold=options.threshold,
        vocabulary_from=options.vocabulary_from,
        settings=settings,
        sources=options.sources,
        fingerprint=goal,
        failed=[FailedShard(source=shard.uri, reason=failed[shard.name]) for shard in shards if shard.name in failed],
    )
    if not options.keep_candidates:
        storage.remove(folder)
    return Result(
        manifest=manifest,
        num_extracted=len(todo) - len(failed),
        num_captions=num_captions,
        wall_seconds=time.monotonic() - start,
        seconds=seconds,
        changed=True,
    )


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings_for(options: Options, model: str) -> Settings:
    """What decides the candidates: the options that do, and the versions of everything that reads a caption."""
    return Settings(
        rules=RULES,
        labeler=options.labeler,
        fields=options.fields,
        stoplist=options.stoplist,
        keep_captions=options.keep_captions,
        spacy=model_provenance(model),
        wordnet={"version": lexicon.VERSION, "digest": lexicon.DIGEST},
    )


def make_extractor(settings: Settings, model: str, wordnet: Path | zipfile.Path, folder: str) -> Extractor:
    """What each worker loads, once."""
    return Extractor(settings=settings, model=model, lexicon=Lexicon.load(wordnet), folder=folder)


def _goal(options: Options, settings: Settings, shards: Sequence[InputShard], given_digest: str | None) -> str:
    """Identity of the label set that the options ask for: same goal, same bytes."""
    how = given_digest or options.threshold
    inputs = [(shard.name, fingerprint(shard, settings)) for shard in shards]
    return storage.digest(msgspec.json.encode([settings, how, list(options.sources), inputs]))


def _finished(out: str) -> Manifest | None:
    """The manifest of a label set that an earlier build finished. A damaged or outdated one is as good as none."""
    try:
        return read_manifest(out)
    except LabelSetError:
        return None


def _is_current(out: str, manifest: Manifest, goal: str) -> bool:
    """True if nothing is left to do. Failed shards are tried again: what was wrong with them may have been mended."""
    return manifest.fingerprint == goal and not manifest.failed and is_intact(out, manifest)


def _is_done(folder: str, shard: InputShard, settings: Settings) -> bool:
    report = candidates.read_report(folder, shard.name)
    return report is not None and report.fingerprint == fingerprint(shard, settings)


def _claim_candidates(folder: str, settings: Settings, *, rebuild: bool) -> None:
    """Make `folder` ready for candidates of these settings. Raises CatlipError if it holds those of others."""
    where = storage.join(folder, candidates.SETTINGS_NAME)
    if rebuild:
        storage.remove(folder)
    if storage.exists(where):
        try:
            was = msgspec.json.decode(storage.read_bytes(where), type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CatlipError(f"{where} is damaged ({error}). Use --rebuild to parse all captions again.") from error
        now = msgspec.json.decode(msgspec.json.encode(settings))
        was, now = was.pop("fields", {}) | was, now.pop("fields") | now
        for name in now:
            if was.get(name) != now[name]:
                raise CatlipError(
                    f"{folder} was made with {name} = {was.get(name)}, and this build has {now[name]}.\n"
                    "Use the same setting, another --out, or --rebuild to parse all captions again."
                )
    storage.remove_leftovers(folder)
    storage.write_bytes(where, msgspec.json.format(msgspec.json.encode(settings), indent=1))


def _refuse_strangers(out: str) -> None:
    """Raise CatlipError if `out` holds files that no build put there: writing would delete or replace some of them."""
    fs, path = storage.filesystem(out)
    if fs.exists(path) and not fs.isdir(path):
        raise CatlipError(f"{out} is a file. Choose a folder for --out.")
    names = (
        {str(name).rstrip("/").rsplit("/", 1)[-1] for name in fs.ls(path, detail=False)} if fs.isdir(path) else set()
    )
    if names and not names & {_LOCK_NAME, schema.MANIFEST_NAME, candidates.FOLDER_NAME}:
        raise CatlipError(f"{out} holds other files. Choose a new or empty folder for --out, so that none is lost.")


@contextmanager
def _lock(out: str) -> Iterator[None]:
    """Hold the folder for this process; a second build into it is refused at once. A killed holder frees it."""
    if not storage.is_local(out):
        yield
        return
    folder = Path(storage.absolute(out))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK_NAME, timeout=0):
            yield
    except Timeout as error:
        raise CatlipError(f"Another build is writing to {out}. Wait for it, or choose another --out.") from error
