"""`catlip vocab`: look at what a label set's classes are before training on them."""

from typing import TYPE_CHECKING

import click

from catlip_cli.terminal import print_facts, print_json, print_next, print_table, stdout

if TYPE_CHECKING:
    from labelgen.audit.old import ClassRow


@click.group()
def vocab() -> None:
    """Look at a label set's classes."""


@vocab.command()
@click.argument("folder", metavar="DIR")
@click.argument("word", required=False)
@click.option("--limit", type=click.IntRange(min=0), default=25, show_default=True, help="Classes shown; 0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(folder: str, word: str | None, limit: int, as_json: bool) -> None:
    """Show the classes of the label set DIR, most frequent first; with WORD, those whose names contain it.

    \b
    Examples:
      catlip vocab inspect labels
      catlip vocab inspect labels bear
      catlip vocab inspect labels --limit 0 --json > classes.json
    """
    from labelgen.audit import old as audit
    from labelshards.labelset import LabelSet

    label_set = LabelSet.open(folder)
    rows = audit.classes(label_set, word)
    shown = rows[: limit or None]
    curve = audit.classes_at(label_set.vocabulary, label_set.manifest.threshold)
    totals = label_set.manifest.totals
    if as_json:
        print_json(
            {
                "totals": totals,
                "threshold": label_set.manifest.threshold,
                "classes_by_threshold": {str(at): count for at, count in curve.items()},
                "labels_per_sample": {str(n): count for n, count in audit.labels_per_sample(label_set).items()},
                "matching": len(rows),
                "classes": shown,
            }
        )
        return
    if word is not None and not rows:
        stdout.print(f"No class of {folder} has {word!r} in its names.", markup=False)
    else:
        _print_classes(shown)
        if len(shown) < len(rows):
            stdout.print(f"… {len(rows) - len(shown):,} more; --limit 0 shows all.", style="dim")
    print_facts(
        f"\nVocabulary of {folder}",
        [
            ("samples", f"{totals.samples:,}, {100 * totals.labelled / max(1, totals.samples):.1f} % with labels"),
            ("labels per sample", f"{totals.labels / max(1, totals.samples):.2f}"),
            ("classes", f"{totals.classes:,}"),
            ("by threshold", "  ".join(f"{count:,} at {at:,}" for at, count in curve.items())),
        ],
    )
    print_next(f"catlip train --labels {folder} --out RUN")


def _print_classes(rows: "list[ClassRow]") -> None:
    columns = [("rank", "right"), ("synset", "left"), ("wnid", "left")]
    columns += [("family", "left"), ("lemmas", "left"), ("support", "right"), ("gloss", "left")]
    cells = [
        (f"{r.rank:,}", r.synset, r.wnid, r.family, ", ".join(r.lemmas), f"{r.support:,}", r.gloss.partition('; "')[0])
        for r in rows
    ]
    print_table(columns, cells)
