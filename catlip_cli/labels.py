"""`catlip labels`: build label sets, and fetch the language data that this takes."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catlip_cli.explain import explain
from catlip_cli.rules import LABELERS, labeling_rules
from catlip_cli.terminal import (
    EXIT_SOME_FAILED,
    Ticker,
    count,
    duration,
    print_facts,
    print_json,
    print_next,
    progress,
    stderr,
    stdout,
)

if TYPE_CHECKING:
    from labelgen.build import Progress, Result

_MANY = 10
# The names in labelgen.sources.FORMATS, which is not imported for a help text; a test compares the two.
FORMATS = ("tar", "parquet", "coco", "jsonl", "tsv", "csv", "txt", "folder")


@click.group()
def labels() -> None:
    """Turn captions into label sets."""


@labels.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", required=True, metavar="DIR", help="Folder of the label set.")
@click.option("--threshold", type=click.IntRange(min=0), default=500, show_default=True, metavar="V",
              help="Keep a synset as a class if it occurs in more than V samples.")  # fmt: skip
@click.option("--vocabulary", metavar="DIR", help="Take the classes of this label set, for example for held-out data.")
@click.option("--format", "format_name", type=click.Choice(FORMATS),
              help="Read every SOURCE as this.  [default: by its name, then by its content]")  # fmt: skip
@click.option("--caption-key", metavar="A,B",
              help="Columns, or JSON fields, with captions: those of one sample together.  [default: in tars and "
              "folders the JSON's `captions`, the .txt, the JSON's `caption`; in tables the usual names]")  # fmt: skip
@click.option("--key-column", metavar="NAME", help="Column with the samples' keys.  [default: key, else row numbers]")
@click.option("--image-column", metavar="NAME",
              help="Column with paths of pictures.  [default: image_path, filepath, file_name, image]")  # fmt: skip
@click.option("--image-root", metavar="DIR",
              help="Where paths of pictures start; COCO needs it.  [default: the table's folder]")  # fmt: skip
@click.option("--captions-from", metavar="parquet:COLUMN",
              help="Take a tar's captions from the Parquet beside it, joined by its column `key`.")  # fmt: skip
@click.option("--labeler", type=click.Choice(LABELERS), default=LABELERS[0], show_default=True,
              help="Terms in noun chunks; the paper's single nouns; or the published code's rule.")  # fmt: skip
@labeling_rules
@click.option("--keep-captions", is_flag=True, help="Keep the cleaned captions in the label shards.")
@click.option("--no-keep-candidates", is_flag=True,
              help="Drop the parse at the end; another threshold then parses all captions again.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: one a core]")
@click.option("--rebuild", is_flag=True, help="Parse all captions again, whatever stands in DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def build(
    sources: tuple[str, ...],
    out: str,
    threshold: int,
    vocabulary: str | None,
    format_name: str | None,
    caption_key: str | None,
    key_column: str | None,
    image_column: str | None,
    image_root: str | None,
    captions_from: str | None,
    labeler: str,
    rules: dict[str, Any],
    keep_captions: bool,
    no_keep_candidates: bool,
    workers: int | None,
    rebuild: bool,
    as_json: bool,
) -> int:
    """Label the captions of SOURCE... and write a label set.

    SOURCE is a path or URI of: img2dataset or WebDataset tars; Parquet, CSV, TSV, or JSONL tables; COCO captions
    JSON; .txt with one caption a line; a folder of pictures with a .txt beside each; or - for standard input (lines of
    captions, or what --format says). Brace ranges and globs may be quoted. docs/sources.md says how each is read.

    A build that was broken off goes on when it is run again. Another --threshold, --policy, --senses, --families,
    --modifiers or --no-stoplist parses no caption again.

    \b
    Examples:
      catlip labels build 'cc3m/{00000..00331}.tar' --out labels
      catlip labels build 'cc3m/*.tar' --out labels --threshold 100
      catlip labels build laion.parquet --caption-key TEXT --out labels
      catlip labels build photos/ --out labels
      catlip labels build 'cc3m/*.tar' --out labels --families attributes=100,hypernyms
      catlip labels build heldout.tar --vocabulary labels --out heldout-labels
    """
    from labelgen.build import Options, num_cores
    from labelgen.build import build as build_label_set
    from labelgen.sources.fields import Fields
    from labelshards import storage

    options = Options(
        sources=sources,
        out=out,
        threshold=threshold,
        vocabulary_from=vocabulary,
        fields=Fields(
            format=format_name,
            caption_keys=tuple(key for key in (caption_key or "").split(",") if key),
            key_column=key_column,
            image_column=image_column,
            image_root=storage.absolute(image_root) if image_root else None,
            captions_from=captions_from,
        ),
        labeler=labeler,
        keep_captions=keep_captions,
        keep_candidates=not no_keep_candidates,
        num_workers=workers or num_cores(),
        rebuild=rebuild,
        **rules,
    )
    with ExitStack() as stack:
        tickers: dict[str, Ticker] = {}

        def show(at: "Progress") -> None:
            if at.stage not in tickers:  # a stage's first report says what an earlier run had done
                stack.close()
                tickers[at.stage] = stack.enter_context(progress(at.stage, at.total, started_at=at.done))
            rate = at.captions_per_second
            tickers[at.stage].update(at.done, "" if rate is None else f"{rate:,.0f} captions/s")

        result = build_label_set(options, show)
    if as_json:
        print_json(_summary(result))
    else:
        _show(result, out)
    incomplete = result.manifest.failed or any(entry.damage for entry in result.manifest.shards)
    return EXIT_SOME_FAILED if incomplete else 0


@labels.command()
def setup() -> None:
    """Fetch what labelling needs and this machine lacks: WordNet 3.0 and a spaCy model.

    \b
    Example:
      catlip labels setup
    """
    from labelgen import language_data, wordnet
    from labelshards.errors import CatlipError

    try:
        model = language_data.spacy_model()
    except CatlipError:
        stderr.print("Installing the spaCy model en_core_web_sm …")
        language_data.install_spacy_model()
        model = language_data.spacy_model()
    try:
        folder = language_data.find_wordnet()
        wordnet.verify(folder)
    except CatlipError:
        stderr.print("Fetching WordNet 3.0 …")
        folder = language_data.fetch_wordnet()
        wordnet.verify(folder)
    print_facts("Language data is in place", [("spaCy model", model), ("WordNet 3.0", str(folder))])
    print_next("catlip labels build SOURCE... --out DIR")


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
        "worker_seconds": {name: round(spent, 3) for name, spent in result.seconds.by_stage().items()},
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
        ("senses", str(manifest.provenance.settings["senses"])),
        ("images", f"{totals.images:,}" if totals.images else "none: this label set cannot be trained on"),
    ]
    if result.slow:
        facts.append(("parse", f"slow, by spaCy's own pipeline: the model is not built as expected ({result.slow})"))
    facts += [("problem", f"{reason}: {count:,}") for reason, count in totals.problems.items()]
    if result.changed:
        facts.append(("time", f"{duration(result.wall_seconds)}{_rate(result)}"))
    print_facts(f"Label set {out}", facts)
    troubles = [entry.damage for entry in manifest.shards if entry.damage] + [fail.reason for fail in manifest.failed]
    for trouble in troubles[:_MANY]:
        stderr.print(f"Warning: {trouble}", style="yellow", markup=False, soft_wrap=True)
    if len(troubles) > _MANY:
        stderr.print(
            f"… and {len(troubles) - _MANY:,} more; all are listed in {Path(out, 'labelset.json')}.", markup=False
        )
    print_next(f"catlip vocab inspect {out}")


def _origin(result: "Result") -> str:
    manifest = result.manifest
    if manifest.threshold is None:
        return f"(those of {manifest.vocabulary_from})"
    families: dict[str, int] = manifest.provenance.settings["families"]
    others = "".join(f"; {family} in more than {at:,}" for family, at in families.items() if family != "nouns")
    return f"(synsets in more than {manifest.threshold:,} samples{others})"


def _rate(result: "Result") -> str:
    if not result.num_captions:
        return ", no caption parsed"
    stages = result.seconds.by_stage()
    shares = ", ".join(f"{name} {_share(spent, sum(stages.values()))}" for name, spent in stages.items())
    rate = f"{result.num_captions / result.wall_seconds:,.0f} captions/s"
    return f", {rate} ({shares}; then {duration(result.publish_seconds)} for senses and label shards)"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"


labels.add_command(explain)
