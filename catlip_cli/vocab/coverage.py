"""`catlip vocab coverage`: which classes of a benchmark a vocabulary has."""

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

import click

from catlip_cli.options import json_option, limit_option
from catlip_cli.terminal import print_facts, print_json, print_next, print_table, stdout

if TYPE_CHECKING:
    from labelgen.audit.coverage import Covered

_SHOWN = 15


@click.command(short_help="Count which classes of a benchmark it has.")
@click.argument("folder", metavar="DIR")
@click.option(
    "--against",
    required=True,
    metavar="LIST",
    help="imagenet-1k, imagenet-21k (both from timm, if it is installed), places365, coco; or a file with a class "
    "name, an ImageNet id or a synset a line, and, behind a tab, the synsets that a name stands for.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    metavar="X",
    help="The least path similarity at which another class stands for one: 0.5 is one step in WordNet.",
)
@limit_option(_SHOWN)
@json_option
def coverage(folder: str, against: str, alpha: float, limit: int, as_json: bool) -> None:
    """Count the classes of a benchmark that the vocabulary of DIR has, exactly or nearly.

    exact: the same synset. similar: one class by path similarity; several: more than one, of which a new head would
    take the mean. missing: none is near enough. --json has every class of the list.

    \b
    Examples:
      catlip vocab coverage labels --against imagenet-1k
      catlip vocab coverage labels --against coco --alpha 0.33
      catlip vocab coverage labels --against my_classes.txt --json > coverage.json
    """
    from labelgen.audit import coverage as covering
    from labelgen.audit.targets import read_targets
    from labelgen.meaning.atlas import read_atlas
    from labelshards.labelset import LabelSet

    label_set = LabelSet.open(folder)
    atlas = read_atlas()
    found = covering.cover(label_set.vocabulary, read_targets(against, atlas), atlas, alpha)
    at = covering.covered_at(found)
    if as_json:
        print_json(
            {
                "against": against,
                "classes": len(found),
                "alpha": alpha,
                "matches": {match: sum(each.match == match for each in found) for match in covering.MATCHES},
                "covered_at_similarity": {f"{similarity:.2f}": count for similarity, count in at.items()},
                "targets": found,
            }
        )
        return
    _show(found, limit)
    print_facts(
        f"{against} in the vocabulary of {folder}",
        [
            ("classes", f"{len(found):,} of the list, {len(label_set.vocabulary):,} of the vocabulary"),
            *(
                (f"similarity {similarity:.2f}", f"{count:,} ({_percent(count, found)})")
                for similarity, count in at.items()
            ),
        ],
    )
    print_next("catlip", "vocab", "coverage", folder, "--against", against, "--limit", "0")


def _show(found: "list[Covered]", limit: int) -> None:
    from labelgen.audit.coverage import MATCHES, MISSING

    missing = [each for each in found if each.match == MISSING]
    rows = [(each.target, ", ".join(each.synsets) or "no synset", _nearest(each)) for each in missing]
    if rows:
        print_table([("missing", "left"), ("synset", "left"), ("nearest class", "left")], rows, limit)
        stdout.print()
    counts = Counter(each.match for each in found)
    table = []
    for match in MATCHES:
        support = [sum(one.support for one in each.classes) for each in found if each.match == match]
        typical = f"{median(support):,.0f}" if support and match != MISSING else ""
        least = f"{min(support):,}" if support and match != MISSING else ""
        table.append((match, f"{counts[match]:,}", _percent(counts[match], found), typical, least))
    columns = [("match", "left"), ("classes", "right"), ("share", "right")]
    print_table([*columns, ("median support", "right"), ("least", "right")], table)


def _nearest(each: "Covered") -> str:
    if not each.classes:
        return "none near"
    more = f" and {len(each.classes) - 1:,} more" if len(each.classes) > 1 else ""
    return f"{each.classes[0].synset} ({each.similarity:.2f}){more}"


def _percent(part: int, found: "list[Covered]") -> str:
    return f"{100 * part / len(found):.1f} %"
