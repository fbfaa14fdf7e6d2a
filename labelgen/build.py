"""Plan → extract → support → encode → manifest. What is done and still fits is never done again."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from labelgen import candidates, labelers, language_data, sources, wordlists, wordnet
from labelgen.corenet import find_tokenizer
from labelgen.engines import Done, run_local
from labelgen.extract import Extractor, Seconds, Settings, fingerprint
from labelgen.labelers import Tools
from labelgen.lexicon import Lexicon
from labelgen.nouns import CHUNKS, model_provenance
from labelgen.publish import publish
from labelgen.resolve import Choice, Language
from labelgen.sources import stdin
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard
from labelgen.wordnet import Folder
from labelshards import schema, storage
from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import FailedShard, LabelSet, Manifest, is_intact, read_manifest
from labelshards.schema import FAMILIES, NOUNS

# Raise it when the same caption may get other labels than before: candidate shards made under other rules are refused.
RULES = 2
DEFAULT_THRESHOLD = 500
_PARSING, _PUBLISHING = "Parsing captions", "Choosing senses, writing labels"
_LOCK_NAME = ".build.lock"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asks for.

    sources: what `sources.plan` takes, and `-` for standard input. fields: where in them things are.
    vocabulary_from: a label set whose vocabulary is taken instead of a new one. senses: the policy, and stoplist:
    whether words about the picture itself are left out; None is the labeler's own way. families: family → threshold,
    beside the nouns; None is that of the nouns. terms, pins: files as wordlists.py reads them.
    nouns: where noun chunks come from (nouns.NOUNS).
    """

    sources: Sequence[str]
    out: str
    threshold: int = DEFAULT_THRESHOLD
    vocabulary_from: str | None = None
    labeler: str = labelers.DEFAULT
    nouns: str = CHUNKS
    fields: Fields = field(default_factory=Fields)
    senses: str | None = None
    stoplist: bool | None = None
    modifiers: bool = False
    families: Mapping[str, int | None] = field(default_factory=dict)
    hypernym_depth: int = 2
    terms: str | None = None
    pins: str | None = None
    keep_captions: bool = False
    keep_candidates: bool = True
    num_workers: int = field(default_factory=lambda: num_cores())
    rebuild: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished label set, and what this run did for it. `seconds` adds up over the workers, the rest is wall time.

    slow: why captions were parsed by spaCy's ordinary pipeline, if they were.
    """

    manifest: Manifest
    num_extracted: int
    num_captions: int
    wall_seconds: float
    publish_seconds: float
    seconds: Seconds
    changed: bool
    slow: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Sent at the start of a stage and after each of its shards: shards done and in all, and this run's rate."""

    stage: str
    done: int
    total: int
    captions_per_second: float | None = None


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
    settings = settings_for(options, model)
    shards = sources.plan(inputs, options.fields)
    given = LabelSet.open(options.vocabulary_from) if options.vocabulary_from else None
    choice = choice_for(options) if given is None else _as_in(given, choice_for(options))
    goal = _goal(options, settings, choice, shards, given.vocabulary.digest if given else None)

    manifest = _finished(options.out)
    candidate_folder = candidates.folder_of(options.out)
    if manifest is not None and _is_current(options.out, manifest, goal) and not options.rebuild:
        if not options.keep_candidates:
            storage.remove(candidate_folder)
        return Result(
            manifest=manifest,
            num_extracted=0,
            num_captions=0,
            wall_seconds=0.0,
            publish_seconds=0.0,
            seconds=Seconds(),
            changed=False,
        )

    _claim_candidates(candidate_folder, settings, rebuild=options.rebuild)
    folder = language_data.find_wordnet()
    language = load_language(options, folder)
    todo = [shard for shard in shards if not _is_done(candidate_folder, shard, settings)]
    make = partial(make_extractor, settings, options.terms, model, folder, candidate_folder)
    failed: dict[str, str] = {}
    seconds = Seconds()
    num_captions = 0
    slow = None
    before = len(shards) - len(todo)
    on_progress(Progress(stage=_PARSING, done=before, total=len(shards)))
    for number, outcome in enumerate(run_local(todo, make, options.num_workers), 1):
        if isinstance(outcome, Done):
            seconds += outcome.seconds
            num_captions += outcome.report.captions
            slow = slow or outcome.report.slow
        else:
            failed[outcome.shard.name] = outcome.reason
        rate = num_captions / (time.monotonic() - start)
        on_progress(Progress(stage=_PARSING, done=before + number, total=len(shards), captions_per_second=rate))
    good = [shard for shard in shards if shard.name not in failed]
    if not good:
        raise CatlipError("No input shard could be read:\n" + "\n".join(f"  {reason}" for reason in failed.values()))

    publish_start = time.monotonic()
    manifest = publish(
        out=options.out,
        shards=good,
        language=language,
        choice=choice,
        vocabulary_from=options.vocabulary_from,
        settings=settings,
        sources=options.sources,
        fingerprint=goal,
        failed=[FailedShard(source=shard.uri, reason=failed[shard.name]) for shard in shards if shard.name in failed],
        on_step=lambda done, total: on_progress(Progress(stage=_PUBLISHING, done=done, total=total)),
    )
    if not options.keep_candidates:
        storage.remove(candidate_folder)
    return Result(
        manifest=manifest,
        num_extracted=len(todo) - len(failed),
        num_captions=num_captions,
        wall_seconds=time.monotonic() - start,
        publish_seconds=time.monotonic() - publish_start,
        seconds=seconds,
        changed=True,
        slow=slow,
    )


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings_for(options: Options, model: str) -> Settings:
    """What decides the candidates: the options that do, and the versions of everything that reads a caption.

    Raises CatlipError for a choice of nouns that the labeler has not.
    """
    if options.nouns != CHUNKS and options.labeler != labelers.DEFAULT:
        raise CatlipError(
            f"--nouns {options.nouns} goes with --labeler {labelers.DEFAULT}; no other labeler has noun chunks."
        )
    if labelers.KINDS[options.labeler].parses:
        reader = {"spacy": model_provenance(model)}
    else:
        reader = {"nltk": {"version": version("nltk"), "tokenizer": find_tokenizer()[0]}}
    return Settings(
        rules=RULES,
        labeler=options.labeler,
        nouns=options.nouns,
        fields=options.fields,
        keep_captions=options.keep_captions,
        terms=wordlists.digest(options.terms),
        tools={**reader, "wordnet": {"version": wordnet.VERSION, "digest": wordnet.DIGEST}},
    )


def choice_for(options: Options) -> Choice:
    """What decides the labels once the candidates are there. Raises CatlipError for a choice that cannot be."""
    kind = labelers.KINDS[options.labeler]
    senses = options.senses or kind.senses
    if not kind.parses and (senses != kind.senses or options.families or options.modifiers):
        raise CatlipError(
            f"The labeler {options.labeler} is the published rule: it takes first senses and knows nouns alone. "
            "Leave out --senses, --families and --modifiers, or choose another labeler."
        )
    families = {NOUNS: options.threshold}
    families |= {
        family: options.threshold if own is None else own
        for family in FAMILIES
        if (own := options.families.get(family, -1)) != -1 and family != NOUNS
    }
    return Choice(
        senses=senses,
        stoplist=not kind.meta_words if options.stoplist is None else options.stoplist,
        modifiers=options.modifiers,
        families=families,
        hypernym_depth=options.hypernym_depth,
        pins=wordlists.digest(options.pins),
    )


def _as_in(given: LabelSet, choice: Choice) -> Choice:
    """The choice with the families of the label set whose vocabulary is taken, so that all of its classes are given."""
    settings = given.manifest.provenance.settings
    return msgspec.structs.replace(
        choice, families=settings["families"], hypernym_depth=int(settings["hypernym_depth"])
    )


def load_language(options: Options, folder: Folder) -> Language:
    """WordNet, checked, with what the options add to it and decide by hand."""
    synsets = wordnet.verify(folder)
    lexicon = load_lexicon(options.labeler, options.terms, folder)
    return Language(lexicon, synsets, wordlists.read_senses(options.pins, lexicon, synsets))


def load_lexicon(labeler: str, terms: str | None, folder: Folder) -> Lexicon:
    """The lexicon that a labeler uses: the published rule knows WordNet's own terms alone."""
    added = wordlists.read_terms(terms) if labelers.KINDS[labeler].parses else {}
    try:
        return Lexicon.load(folder, added)
    except CatlipError as error:
        raise CatlipError(f"{terms}: {error}") from error


def make_extractor(
    settings: Settings, terms: str | None, model: str, folder: Folder, candidate_folder: str
) -> Extractor:
    """What each worker loads, once."""
    lexicon = load_lexicon(settings.labeler, terms, folder)
    return Extractor(settings=settings, tools=Tools(lexicon, folder, model, settings.nouns), folder=candidate_folder)


def _goal(
    options: Options, settings: Settings, choice: Choice, shards: Sequence[InputShard], given_digest: str | None
) -> str:
    """Identity of the label set that the options ask for: same goal, same bytes."""
    inputs = [(shard.name, fingerprint(shard, settings)) for shard in shards]
    return storage.digest(msgspec.json.encode([settings, choice, given_digest, list(options.sources), inputs]))


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
        was, now = {"nouns": CHUNKS} | was, {"nouns": CHUNKS} | now
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
