"""What `catlip labels build` and `finish` say when they are done."""

from pathlib import Path
from typing import TYPE_CHECKING

from catlip_cli.terminal import EXIT_SOME_FAILED, count, duration, print_facts, print_json, print_next, stderr, stdout

if TYPE_CHECKING:
    from labelgen.extract import Seconds
    from labelgen.outcome import Result, Slice, SliceResult

_MANY = 10


def tell(result: "Result", out: str, *, as_json: bool) -> int:
    """Print what became of a label set; returns the exit code."""
    if as_json:
        print_json({"out": out, **_summary(result)})
    else:
        _show(result, out)
    incomplete = result.manifest.failed or any(entry.damage for entry in result.manifest.shards)
    return EXIT_SOME_FAILED if incomplete else 0


def tell_slice(result: "SliceResult", part: "Slice", out: str, *, as_json: bool) -> int:
    """Print what became of a slice; returns the exit code."""
    if as_json:
        print_json(
            {
                "out": out,
                "slice": str(part),
                "shards": result.num_shards,
                "shards_done_before": result.num_done_before,
                "shards_extracted": result.num_extracted,
                "captions": result.num_captions,
                "failed": result.failed,
                "seconds": round(result.wall_seconds, 3),
                "worker_seconds": _by_stage(result.seconds),
            }
        )
    else:
        facts = [
            ("shards", f"{result.num_shards:,}, {result.num_done_before:,} of them done before"),
            ("extracted", f"{count(result.num_extracted, 'shard')}, {count(result.num_captions, 'caption')}"),
            ("failed", f"{len(result.failed):,}"),
            (
                "time",
                f"{duration(result.wall_seconds)}{_rate(result.num_captions, result.wall_seconds, result.seconds)}",
            ),
        ]
        print_facts(f"Slice {part} of {out}", facts)
        _warn([failure.reason for failure in result.failed], f"they are noted in {out}/_candidates")
        print_next("catlip", "labels", "finish", out, when="when all slices are done")
    return EXIT_SOME_FAILED if result.failed else 0


def _summary(result: "Result") -> dict[str, object]:
    totals = result.manifest.totals
    return {
        "changed": result.changed,
        "slow_parse": result.slow,
        "samples": totals.samples,
        "labelled": totals.labelled,
        "images": totals.images,
        "captions": totals.captions,
        "labels": totals.labels,
        "classes": totals.classes,
        "threshold": result.manifest.threshold,
        "problems": totals.problems,
        "shards": len(result.manifest.shards),
        "shards_extracted": result.num_extracted,
        "damaged": [entry.damage for entry in result.manifest.shards if entry.damage],
        "failed": result.manifest.failed,
        "seconds": round(result.wall_seconds, 3),
        "publish_seconds": round(result.publish_seconds, 3),
        "worker_seconds": _by_stage(result.seconds),
    }


def _show(result: "Result", out: str) -> None:
    manifest, totals = result.manifest, result.manifest.totals
    if not result.changed:
        stdout.print(f"{out} is up to date: nothing to do.", markup=False)
    facts = [
        (
            "samples",
            f"{totals.samples:,} in {count(len(manifest.shards), 'shard')}, {count(totals.captions, 'caption')}",
        ),
        ("labelled", f"{totals.labelled:,} ({_share(totals.labelled, totals.samples)})"),
        ("labels", f"{totals.labels:,}, {totals.labels / max(1, totals.labelled):.2f} per labelled sample"),
        ("classes", f"{totals.classes:,} " + _origin(result)),
        ("policy", str(manifest.provenance.settings["senses"])),
        ("images", f"{totals.images:,}" if totals.images else "none: this label set cannot be trained on"),
    ]
    if table := manifest.provenance.tools.get("distilled"):
        facts.append(
            (
                "table",
                f"learnt from {int(table['captions']):,} captions; F1 = {float(table['f1']):.3f} against spaCy's "
                f"labels on {int(table['held_out']):,} others",
            )
        )
    if result.slow:
        facts.append(("parse", f"slow, by spaCy's own pipeline: the model is not built as expected ({result.slow})"))
    facts += [("problem", f"{reason}: {count:,}") for reason, count in totals.problems.items()]
    if result.changed:
        rate = _rate(result.num_captions, result.wall_seconds, result.seconds)
        then = f"; then {duration(result.publish_seconds)} for senses and label shards" if result.num_captions else ""
        facts.append(("time", f"{duration(result.wall_seconds)}{rate}{then}"))
    print_facts(f"Label set {out}", facts)
    troubles = [entry.damage for entry in manifest.shards if entry.damage] + [fail.reason for fail in manifest.failed]
    _warn(troubles, f"all are listed in {Path(out, 'labelset.json')}")
    print_next("catlip", "vocab", "inspect", out)


def _origin(result: "Result") -> str:
    manifest = result.manifest
    if manifest.threshold is None:
        return f"(those of {manifest.vocabulary_from})"
    families: dict[str, int] = manifest.provenance.settings["families"]
    others = "".join(f"; {family} in more than {at:,}" for family, at in families.items() if family != "nouns")
    return f"(synsets in more than {manifest.threshold:,} samples{others})"


def _rate(num_captions: int, wall_seconds: float, seconds: "Seconds") -> str:
    if not num_captions:
        return ", no caption parsed"
    stages = seconds.by_stage()
    shares = ", ".join(f"{name} {_share(spent, sum(stages.values()))}" for name, spent in stages.items())
    return f", {num_captions / wall_seconds:,.0f} captions/s ({shares})"


def _by_stage(seconds: "Seconds") -> dict[str, float]:
    return {name: round(spent, 3) for name, spent in seconds.by_stage().items()}


def _warn(troubles: list[str], where: str) -> None:
    for trouble in troubles[:_MANY]:
        stderr.print(f"Warning: {trouble}", style="yellow", markup=False, soft_wrap=True)
    if len(troubles) > _MANY:
        stderr.print(f"… and {len(troubles) - _MANY:,} more; {where}.", markup=False, soft_wrap=True)


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
