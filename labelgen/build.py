"""Plan → extract → support → encode → manifest. What is done and still fits is never done again."""

import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import NamedTuple

import msgspec

from labelgen import candidates, engines, labelers, language_data, sources
from labelgen.dictionary.synsets import Synsets
from labelgen.distill import keep, teach
from labelgen.engines.worker import Done
from labelgen.extract import Extractor, Seconds, Settings, fingerprint
from labelgen.folder import locks, state
from labelgen.folder.outfolder import refuse_strangers
from labelgen.folder.state import BuildPlan, Status
from labelgen.meaning import wordlists
from labelgen.meaning.resolve import Language
from labelgen.options import (
    Options,
    as_in,
    choice_for,
    load_language,
    load_lexicon,
    make_extractor,
    make_extractor_elsewhere,
    settings_for,
)
from labelgen.outcome import Progress, Result, Slice, SliceResult, Watcher
from labelgen.parsing.nouns import DISTILLED
from labelgen.publish import publish
from labelgen.sources import stdin
from labelgen.sources.sample import InputShard
from labelshards import schema, storage
from labelshards.errors import CatlipError, LabelSetError
from labelshards.labelset import FailedShard, LabelSet, Manifest, is_intact, read_manifest

_TEACHING, _WAITING = "Teaching the table", "Another slice teaches the table, waiting for it"
_PARSING, _PUBLISHING = "Parsing captions", "Choosing senses, writing labels"
_MANY_REASONS = 10


def build(options: Options, on_progress: Watcher = lambda _: None) -> Result:
    """Make, finish or update the label set at `options.out`.

    With `retry_failed` the sources are not looked at again, but for the shards that failed, which are all that is
    extracted. Raises CatlipError; whatever was extracted before stays, and the same call goes on from there.
    """
    engines.require(options.engine)
    choice_for(options)  # a choice that cannot be is told before a folder is made
    if options.vocabulary_from and storage.absolute(options.vocabulary_from) == storage.absolute(options.out):
        raise CatlipError(f"{options.out} cannot take its vocabulary from itself. Choose another --out.")
    refuse_strangers(options.out)
    # In this order: what comes through stdin is kept in the folder.
    with locks.held(options.out), stdin.spooled(options.sources, options.fields.format, options.out) as inputs:
        folder = candidates.folder_of(options.out)
        model = language_data.spacy_model()
        settings = settings_for(options, model)
        again = None
        if options.retry_failed:
            before = state.read_plan(folder)
            again = _failed_before(before, options)
            plan = _plan(options, settings, _looked_at_again(before.files, again, options), before.num_slices)
        else:
            plan = _plan(options, settings, sources.scan(inputs, options.fields), None)
        _refuse_mostly_missing(plan)
        if options.rebuild:
            storage.remove(folder)
        plan = _with_table(plan, options, model, on_progress)
        shards = plan.shards()
        if not options.rebuild and (done := _up_to_date(options.out, plan, shards)):
            return done
        # Before the plan is written: where the candidates are those of other settings, their plan must stay.
        state.claim(folder, plan.settings, rebuild=options.rebuild)
        storage.remove_leftovers(folder)
        state.write_plan(folder, plan)
        left = _left(options, plan, shards, again)
        # While workers begin to load; and a mistake in a list of senses is told before the parse, not after it.
        language = language_of(plan)
        work = _extract(options, plan, shards, left, model, on_progress)
        return _publish(options.out, plan, language, shards, work, on_progress)


def build_slice(options: Options, part: Slice, on_progress: Watcher = lambda _: None) -> SliceResult:
    """Extract the shards of one slice; others may do theirs at the same time, on other machines.

    Raises CatlipError like `build`. `finish` makes the label set when all slices are done.
    """
    engines.require(options.engine)
    choice_for(options)  # a choice that cannot be is told before a folder is made
    if stdin.NAME in options.sources:
        raise CatlipError("Standard input cannot be cut into slices. Save it to a file that all of them read.")
    refuse_strangers(options.out)
    with locks.held(options.out, f"{part.number}-of-{part.total}"):
        folder = candidates.folder_of(options.out)
        model = language_data.spacy_model()
        settings = settings_for(options, model)
        plan = _plan(options, settings, sources.scan(options.sources, options.fields), part.total)
        _refuse_mostly_missing(plan)
        waiting = Progress(stage=_WAITING, done=0, total=1)
        turn = partial(locks.turn, options.out, "table", partial(on_progress, waiting))
        plan = _with_table(plan, options, model, on_progress, turn)
        state.claim(folder, plan.settings, rebuild=options.rebuild)
        state.write_plan(folder, plan)
        shards = plan.shards()[part.number :: part.total]
        left = _left(options, plan, shards)
        language_of(plan)  # so that a mistake in a list of senses is told now and not after the last slice
        work = _extract(options, plan, shards, left, model, on_progress)
        return SliceResult(
            num_shards=len(shards),
            num_done_before=len(shards) - work.num_extracted - len(work.failed) - len(work.missing),
            num_extracted=work.num_extracted,
            num_captions=work.num_captions,
            failed=_failed(shards, work.failed),
            wall_seconds=time.monotonic() - work.started_at,
            seconds=work.seconds,
        )


def finish(out: str, on_progress: Watcher = lambda _: None) -> Result:
    """Make the label set of what all slices have extracted at `out`; shards that failed are listed in it.

    Everything is read from there. Raises CatlipError if a shard is neither done nor failed.
    """
    folder = candidates.folder_of(out)
    state.read_plan(folder)  # before the lock, which would make a folder of a mistyped name
    with locks.held(out):
        plan = state.read_plan_of_these_rules(folder)
        shards = plan.shards()
        if done := _up_to_date(out, plan, shards):
            return done
        storage.remove_leftovers(folder)
        found = state.status(folder, shards, plan.settings)
        work = _Extraction(failed=found.failed, missing=_missing(shards, found))
        return _publish(out, plan, language_of(plan), shards, work, on_progress)


@dataclass(kw_only=True)
class _Extraction:
    """What became of the shards: extracted in this run, failed (name → reason), or missing (names: nobody's yet)."""

    failed: dict[str, str]
    missing: set[str]
    num_extracted: int = 0
    num_captions: int = 0
    seconds: Seconds = field(default_factory=Seconds)
    started_at: float = field(default_factory=time.monotonic)
    slow: str | None = None


def _plan(options: Options, settings: Settings, files: list[InputShard], num_slices: int | None) -> BuildPlan:
    given = LabelSet.open(options.vocabulary_from) if options.vocabulary_from else None
    choice = choice_for(options) if given is None else as_in(given, choice_for(options))
    return BuildPlan(
        sources=list(options.sources),
        settings=settings,
        choice=choice,
        terms=options.terms and storage.absolute(options.terms),
        pins=options.pins and storage.absolute(options.pins),
        vocabulary_from=options.vocabulary_from and storage.absolute(options.vocabulary_from),
        keep_candidates=options.keep_candidates,
        max_bad_fraction=options.max_bad_fraction,
        num_slices=num_slices,
        files=files,
    )


def _with_table(
    plan: BuildPlan,
    options: Options,
    model: str,
    on_progress: Watcher,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> BuildPlan:
    """The plan with the table that its captions are labelled with, where that is what is asked for. See distill/."""
    settings = plan.settings
    if settings.nouns != DISTILLED:
        return plan

    def make() -> bytes:
        on_progress(Progress(stage=_TEACHING, done=0, total=1))
        data = engines.run_alone(_teach, plan.shards(), settings, plan.terms, options.distilled_captions, model, by)
        on_progress(Progress(stage=_TEACHING, done=1, total=1))
        return data

    decides = [settings.rules, settings.fields, settings.terms, settings.tools, options.distilled_captions]
    by = storage.digest(msgspec.json.encode(decides))
    table = keep.settle(options.out, by, make, turn, rebuild=options.rebuild)
    teach.refuse_below(options.distilled_floor, table.taught)
    return msgspec.structs.replace(plan, settings=msgspec.structs.replace(settings, table=table.digest))


def _teach(
    shards: Sequence[InputShard], settings: Settings, terms: str | None, num_captions: int, model: str, by: str
) -> bytes:
    folder = language_data.find_wordnet()
    Synsets.load(folder)  # checks it
    texts = teach.sample(shards, settings.fields, num_captions)
    return teach.teach(texts, load_lexicon(settings.labeler, terms, folder), model, by)


def _failed_before(plan: BuildPlan, options: Options) -> set[str]:
    """URIs of files with shards that failed. Raises CatlipError if the plan is that of other sources."""
    if list(options.sources) != plan.sources or options.fields != plan.settings.fields:
        raise CatlipError(
            f"{options.out} was begun with {' '.join(plan.sources)}, and --retry-failed goes on with that. "
            "Name the same sources, or leave out --retry-failed."
        )
    shards = plan.shards()
    failed = state.status(candidates.folder_of(options.out), shards, plan.settings).failed
    return {shard.uri for shard in shards if shard.name in failed}


def _looked_at_again(files: Sequence[InputShard], again: set[str], options: Options) -> list[InputShard]:
    """The files of an earlier plan, of which those named in `again` may have changed."""
    by_uri = groupby(files, key=lambda file: file.uri)  # a file's parts stand together, as `scan` gives them
    return [
        file for uri, parts in by_uri for file in (sources.scan_file(uri, options.fields) if uri in again else parts)
    ]


class _Left(NamedTuple):
    """What an earlier run found, and what there is to do."""

    found: Status
    todo: list[InputShard]


def _left(options: Options, plan: BuildPlan, shards: Sequence[InputShard], only: Container[str] | None = None) -> _Left:
    """What is not done of `shards`, or only what is of the files `only`; workers begin to load if there is anything."""
    folder = candidates.folder_of(options.out)
    found = Status(set(), {}) if options.rebuild else state.status(folder, shards, plan.settings)
    todo = [shard for shard in shards if shard.name not in found.done and (only is None or shard.uri in only)]
    if todo:
        parses = labelers.KINDS[plan.settings.labeler].parses and plan.settings.nouns != DISTILLED
        engines.start(options.engine, parses=parses)
    return _Left(found, todo)


def _extract(
    options: Options, plan: BuildPlan, shards: Sequence[InputShard], left: _Left, model: str, on_progress: Watcher
) -> _Extraction:
    """Extract what is left of `shards`."""
    folder = candidates.folder_of(options.out)
    found, todo = left
    work = _Extraction(failed={}, missing=_missing(shards, found) - {shard.name for shard in todo})
    before = len(shards) - len(todo)
    on_progress(Progress(stage=_PARSING, done=before, total=len(shards)))
    make: Callable[[], Extractor] = partial(make_extractor_elsewhere, options, plan.settings, folder)
    if options.engine == engines.LOCAL:
        make = partial(make_extractor, plan.settings, plan.terms, model, language_data.find_wordnet(), folder)
    for number, outcome in enumerate(engines.run(options.engine, todo, make, options.num_workers), 1):
        name = outcome.shard.name
        if isinstance(outcome, Done):
            work.seconds += outcome.seconds
            work.slow = work.slow or outcome.slow
            work.num_captions += outcome.captions
            work.num_extracted += 1
            if name in found.failed or options.retry_failed:
                state.forget_failure(folder, name)
        else:
            work.failed[name] = outcome.reason
            state.note_failure(folder, outcome.shard, plan.settings, outcome.reason)
        rate = work.num_captions / (time.monotonic() - work.started_at)
        on_progress(Progress(stage=_PARSING, done=before + number, total=len(shards), captions_per_second=rate))
    return work


def _publish(
    out: str,
    plan: BuildPlan,
    language: Language,
    shards: Sequence[InputShard],
    work: _Extraction,
    on_progress: Watcher,
) -> Result:
    """Write the label set of the shards that are done."""
    if work.missing:
        raise CatlipError(state.missing_text(shards, work.missing, plan.num_slices))
    good = [shard for shard in shards if shard.name not in work.failed]
    if not good:
        raise CatlipError(f"No input shard could be read:\n{_listed(list(work.failed.values()))}")
    if len(work.failed) > plan.max_bad_fraction * len(shards):
        raise CatlipError(
            f"{len(work.failed):,} of {len(shards):,} shards failed, more than --max-bad-fraction "
            f"{plan.max_bad_fraction:g} allows:\n{_listed(list(work.failed.values()))}\n"
            "Mend them, or raise it; no caption is parsed again."
        )
    publish_start = time.monotonic()
    manifest = publish(
        out=out,
        shards=good,
        language=language,
        choice=plan.choice,
        vocabulary_from=plan.vocabulary_from,
        settings=plan.settings,
        sources=plan.sources,
        fingerprint=_goal(plan, shards),
        failed=_failed(shards, work.failed),
        on_step=lambda done, total: on_progress(Progress(stage=_PUBLISHING, done=done, total=total)),
    )
    # Last of all: until here the same command could go on from them.
    if not plan.keep_candidates:
        storage.remove(candidates.folder_of(out))
    return Result(
        manifest=manifest,
        num_extracted=work.num_extracted,
        num_captions=work.num_captions,
        wall_seconds=time.monotonic() - work.started_at,
        publish_seconds=time.monotonic() - publish_start,
        seconds=work.seconds,
        changed=True,
        slow=work.slow,
    )


def _refuse_mostly_missing(plan: BuildPlan) -> None:
    """Raise CatlipError before hours of work, if so many files are not there that nothing would be made of the rest."""
    missing = [shard.uri for shard in plan.files if not shard.identity]
    # Where all are missing, reading them tells why each of them is.
    if len(plan.files) > len(missing) > plan.max_bad_fraction * len(plan.files):
        raise CatlipError(
            f"{len(missing):,} of {len(plan.files):,} shards cannot be read, more than --max-bad-fraction "
            f"{plan.max_bad_fraction:g} allows; the first is {missing[0]}."
        )


def _up_to_date(out: str, plan: BuildPlan, shards: Sequence[InputShard]) -> Result | None:
    """The result if nothing is left to do. Failed shards are tried again: what was wrong may have been mended."""
    manifest = _finished(out)
    if manifest is None or manifest.failed or manifest.fingerprint != _goal(plan, shards):
        return None
    if not is_intact(out, manifest):  # last, for it reads every file
        return None
    if not plan.keep_candidates:
        storage.remove(candidates.folder_of(out))
    return Result(
        manifest=manifest,
        num_extracted=0,
        num_captions=0,
        wall_seconds=0.0,
        publish_seconds=0.0,
        seconds=Seconds(),
        changed=False,
    )


def language_of(plan: BuildPlan) -> Language:
    """Raises CatlipError if a list of terms or senses is not what it was when the build was planned."""
    decided = (
        (plan.terms, plan.settings.terms, wordlists.digest(plan.terms)),
        (plan.pins, plan.choice.pins, wordlists.digest_of_senses(plan.pins)),
    )
    for uri, planned, now in decided:
        if now != planned:
            what = uri or "catlip's own list of senses"
            raise CatlipError(
                f"{what} changed after the build began. Run the build again, or one of its slices; or put it back."
            )
    return load_language(plan.settings.labeler, plan.terms, plan.pins, language_data.find_wordnet())


def _missing(shards: Sequence[InputShard], found: Status) -> set[str]:
    return {shard.name for shard in shards} - found.done - set(found.failed)


def _failed(shards: Sequence[InputShard], reasons: Mapping[str, str]) -> list[FailedShard]:
    return [FailedShard(source=each.uri, reason=reasons[each.name]) for each in shards if each.name in reasons]


def _listed(reasons: Sequence[str]) -> str:
    more = [f"  … and {len(reasons) - _MANY_REASONS:,} more"] if len(reasons) > _MANY_REASONS else []
    return "\n".join([*(f"  {reason}" for reason in reasons[:_MANY_REASONS]), *more])


def _goal(plan: BuildPlan, shards: Sequence[InputShard]) -> str:
    """Identity of the label set that is asked for: same goal, same bytes."""
    # Sources, too, by name: the manifest has them.
    given = _identity(LabelSet.open(plan.vocabulary_from)) if plan.vocabulary_from else None
    inputs = [(shard.name, fingerprint(shard, plan.settings)) for shard in shards]
    return storage.digest(msgspec.json.encode([plan.settings, plan.choice, given, plan.sources, inputs]))


def _identity(given: LabelSet) -> str | list[str]:
    """Of a vocabulary: its digest, and what was decided about its classes."""
    edit = given.manifest.provenance.settings.get(schema.EDIT)
    digest = given.vocabulary.digest
    return digest if edit is None else [digest, storage.digest(msgspec.json.encode(edit))]


def _finished(out: str) -> Manifest | None:
    """The manifest of a label set that an earlier build finished. A damaged or outdated one is as good as none."""
    try:
        return read_manifest(out)
    except LabelSetError:
        return None
