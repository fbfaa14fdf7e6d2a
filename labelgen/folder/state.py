"""What a build remembers in `_candidates/`, beside the candidates: its plan, and which shards failed.

Files only, so that jobs on many machines share them, and `catlip labels finish` needs nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec

from labelgen import candidates, sources
from labelgen.extract import Settings, fingerprint
from labelgen.meaning.resolve import Choice
from labelgen.options import RULES
from labelgen.sources.fields import option_of
from labelgen.sources.sample import InputShard
from labelshards import schema, storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet

PLAN_NAME = "plan.json"
_FAILED_SUFFIX = ".failed"
# A remote store answers many small requests at once as fast as one.
_REQUESTS_AT_ONCE = 32
_MANY_LINES = 20
# Of a build's settings those that no option sets: they follow from what is installed, and from the captions.
_UNCHOSEN = frozenset({"rules", "tools", "table"})


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a label set, and where its parts come from.

    files: shards as `sources.scan` yields them. terms, pins, vocabulary_from: URIs. num_slices: of the job array that
    extracts, or None.
    """

    sources: list[str]
    settings: Settings
    choice: Choice
    terms: str | None
    pins: str | None
    vocabulary_from: str | None
    keep_candidates: bool
    max_bad_fraction: float
    num_slices: int | None
    files: list[InputShard]

    def shards(self) -> list[InputShard]:
        """The shards under their names."""
        return sources.named(self.files)


class Status(NamedTuple):
    """Names of the shards that are done, and name → reason of those that failed, in the files' present state."""

    done: set[str]
    failed: dict[str, str]


class _Failure(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    reason: str


def write_plan(folder: str, plan: BuildPlan) -> None:
    """Keep the plan, unless it stands there already."""
    data = msgspec.json.encode(plan)
    where = storage.join(folder, PLAN_NAME)
    if not storage.exists(where) or storage.read_bytes(where) != data:
        storage.write_bytes(where, data)


def read_plan(folder: str) -> BuildPlan:
    """The plan of the last build or slice. Raises CatlipError if there is none."""
    where = storage.join(folder, PLAN_NAME)
    try:
        plan = msgspec.json.decode(storage.read_bytes(where), type=BuildPlan)
    except FileNotFoundError as error:
        raise CatlipError(
            f"No build was begun here: {where} is missing. Run `catlip labels build SOURCE... --out DIR` first."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CatlipError(f"{where} is damaged or of another catlip ({error}). Run the build again.") from error
    if any("/" in file.name or "\0" in file.name + file.uri for file in plan.files):
        raise CatlipError(f"{where} names label shards as no file can be named. Run the build again.")
    return plan


def read_plan_of_these_rules(folder: str) -> BuildPlan:
    """As `read_plan`. Raises CatlipError also if this version would give the same captions other labels."""
    plan = read_plan(folder)
    if plan.settings.rules != RULES:
        raise CatlipError(f"{folder} was made by another version of catlip. Run the build again, with --rebuild.")
    return plan


def plan_of(label_set: LabelSet) -> BuildPlan:
    """The plan of the build that made a label set. Raises CatlipError if what it was made of is not beside it."""
    root, manifest = label_set.root, label_set.manifest
    if not manifest.shards:
        raise CatlipError(f"{root} is a vocabulary alone. Label data with it, and take the label set of that data.")
    if schema.EDIT in manifest.provenance.settings:
        raise CatlipError(f"{root} was pruned itself, and has no candidates. Take the label set that it came from.")
    folder = candidates.folder_of(root)
    if not storage.exists(storage.join(folder, PLAN_NAME)):
        raise CatlipError(f"{root} has no candidates: {folder} is gone. Build it again, without --no-keep-candidates.")
    return read_plan_of_these_rules(folder)


def status(folder: str, shards: Sequence[InputShard], settings: Settings) -> Status:
    """What is done and what failed. One listing; then only the footers of what is there are read."""
    names = set(storage.list_files(folder))
    prints = {shard.name: fingerprint(shard, settings) for shard in shards}

    def is_done(name: str) -> bool:
        report = candidates.read_report(folder, name)
        return report is not None and report.fingerprint == prints[name]

    there = [shard.name for shard in shards if f"{shard.name}.parquet" in names]
    done = {name for name, good in zip(there, _map(is_done, there, folder), strict=True) if good}
    there = [shard.name for shard in shards if shard.name + _FAILED_SUFFIX in names and shard.name not in done]
    failures = zip(there, _map(lambda name: _read_failure(folder, name), there, folder), strict=True)
    failed = {name: failure.reason for name, failure in failures if failure and failure.fingerprint == prints[name]}
    return Status(done, failed)


def note_failure(folder: str, shard: InputShard, settings: Settings, reason: str) -> None:
    """Remember why a shard failed."""
    failure = _Failure(fingerprint=fingerprint(shard, settings), reason=reason)
    storage.write_bytes(_failure_of(folder, shard.name), msgspec.json.encode(failure))


def forget_failure(folder: str, name: str) -> None:
    """It is done now."""
    storage.remove(_failure_of(folder, name))


def claim(folder: str, settings: Settings, *, rebuild: bool) -> None:
    """Make `folder` ready for candidates of these settings. Raises CatlipError if it holds those of others."""
    where = storage.join(folder, candidates.SETTINGS_NAME)
    if storage.exists(where) and not rebuild:
        try:
            was = msgspec.json.decode(storage.read_bytes(where), type=dict[str, Any])
            was = {**was.pop("fields", {}), **was}
        except (TypeError, ValueError, RecursionError) as error:
            raise CatlipError(f"{where} is damaged ({error}). Use --rebuild to parse all captions again.") from error
        now = msgspec.json.decode(msgspec.json.encode(settings))
        now = now.pop("fields") | now
        for name in now:
            if was.get(name) != now[name]:
                called = name if name in _UNCHOSEN else option_of(name)
                raise CatlipError(
                    f"{folder} was made with {called} = {_said(was.get(name))}, and this build has "
                    f"{_said(now[name])}.\n"
                    "Use the same setting, another --out, or --rebuild to parse all captions again."
                )
    storage.write_bytes(where, msgspec.json.format(msgspec.json.encode(settings), indent=1))


def _said(setting: object) -> str:
    """A setting as a person would give it; nothing where none was given."""
    words = ", ".join(map(str, setting)) if isinstance(setting, list) else str(setting)
    return words if setting not in (None, [], "") else "nothing"


def missing_text(shards: Sequence[InputShard], names: set[str], num_slices: int | None) -> str:
    """Which slices the shards `names` belong to, for a person who has to run them again."""
    text = f"{len(names):,} of {len(shards):,} shards are not extracted yet."
    if num_slices is None:
        return f"{text} Run `catlip labels build` with the same sources again."
    lines = []
    for index in range(num_slices):
        mine = shards[index::num_slices]
        if lacking := sum(shard.name in names for shard in mine):
            lines.append(f"  --slice {index}/{num_slices}: {lacking:,} of {len(mine):,}")
    shown = [
        *lines[:_MANY_LINES],
        *([f"  … and {len(lines) - _MANY_LINES:,} more slices"] * (len(lines) > _MANY_LINES)),
    ]
    return "\n".join([text, *shown, "Run these slices again, or the same build without --slice."])


def _map(function: Callable[[str], Any], names: Sequence[str], folder: str) -> Iterable[Any]:
    if storage.is_local(folder):
        return map(function, names)
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
        return list(threads.map(function, names))


def _read_failure(folder: str, name: str) -> _Failure | None:
    try:
        return msgspec.json.decode(storage.read_bytes(_failure_of(folder, name)), type=_Failure)
    except (OSError, ValueError, RecursionError):
        return None


def _failure_of(folder: str, name: str) -> str:
    return storage.join(folder, name + _FAILED_SUFFIX)
