"""`catlip vocab prune`: decide about classes, without parsing a caption."""

import click

from catlip_cli.options import json_option, max_classes_option, out_option
from catlip_cli.terminal import print_facts, print_json, print_next, progress


@click.command(short_help="Write the same label set with other classes.")
@click.argument("folder", metavar="DIR")
@out_option("DIR", "the new label set")
@click.option("--split", metavar="FILE", help="Lines of CLASS<TAB>TERM<TAB>INTO: what TERM gave to CLASS goes to INTO.")
@click.option("--merge", metavar="FILE", help="Lines of CLASS<TAB>INTO; `below dog.n.01<TAB>dog.n.01` merges breeds.")
@click.option(
    "--deny",
    metavar="FILE",
    help="Lines of classes to leave out: bank.n.01, n02084071, noun.time, or below person.n.01 for it and all its "
    "kinds.",
)
@click.option("--under", multiple=True, metavar="SYNSET", help="Only SYNSET and its kinds. Repeatable; any may hold.")
@click.option("--threshold", type=click.IntRange(min=0), metavar="V",
              help="Keep a class if it occurs in more than V samples.")  # fmt: skip
@max_classes_option
@json_option
def prune(
    folder: str,
    out: str,
    split: str | None,
    merge: str | None,
    deny: str | None,
    under: tuple[str, ...],
    threshold: int | None,
    max_classes: int | None,
    as_json: bool,
) -> None:
    """Write the label set DIR anew elsewhere, with other classes. No caption is parsed; DIR stays as it is.

    Splits come first, then merges, then what is left out, then thresholds. The decisions are kept in the new label
    set, and hold for data that is labelled with its vocabulary.

    \b
    Examples:
      catlip vocab prune labels --threshold 1000 --max-classes 5000 --out labels-small
      catlip vocab prune labels --deny deny.txt --merge merge.tsv --out labels-clean
      catlip vocab prune labels --under animal.n.01 --under plant.n.02 --out labels-nature
    """
    from labelgen.classes.edit import read_edit
    from labelgen.prune import prune as prune_label_set
    from labelshards.labelset import LabelSet

    edit = read_edit(deny, merge, split, under, max_classes)
    if edit.is_empty() and threshold is None:
        raise click.UsageError("Nothing to do: give --split, --merge, --deny, --under, --threshold or --max-classes.")
    before = LabelSet.open(folder).manifest
    with progress("Writing labels", 0) as ticker:
        after = prune_label_set(folder, out, edit, threshold, lambda done, total: ticker.update(done, total=total))
    if as_json:
        print_json(
            {"out": out, "before": before.totals, "after": after.totals, "edit": edit, "threshold": after.threshold}
        )
        return
    print_facts(
        f"Label set {out}, pruned from {folder}",
        [
            ("classes", f"{after.totals.classes:,}, before {before.totals.classes:,}"),
            ("labelled", f"{after.totals.labelled:,} samples, before {before.totals.labelled:,}"),
            ("labels", f"{after.totals.labels:,}, before {before.totals.labels:,}"),
            ("decisions", ", ".join(f"{len(getattr(edit, name)):,} {name}" for name in ("split", "merge", "deny"))),
        ],
    )
    print_next("catlip", "vocab", "diff", folder, out)
