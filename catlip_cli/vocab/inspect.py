"""`catlip vocab inspect`: what is in a label set."""

from typing import TYPE_CHECKING

import click

from catlip_cli.options import json_option, limit_option, moved_option
from catlip_cli.terminal import print_next, progress, stderr, write_out
from catlip_cli.vocab import one_class, overview, report

if TYPE_CHECKING:
    from labelgen.audit.totals import Totals
    from labelgen.meaning.atlas import Atlas
    from labelshards.labelset import LabelSet


def key_and_value(_ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    """`KEY=VALUE` → (KEY, VALUE), of each."""
    from labelgen.audit.select import FILTERS

    found = []
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or key not in FILTERS:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE with a KEY of {', '.join(FILTERS)}.", param=param)
        found.append((key, value))
    return found


# labelgen.audit.select has the same; a test compares them.
SORTS = ("support", "rarest", "name", "lexname", "ambiguity", "terms", "flags")


_THUMBNAILS = 6


@click.command(short_help="Show what is in a label set, and what to look at.")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True)
@moved_option
@click.option("--csv", "csv_file", metavar="FILE", help="File to write: the classes asked for, CSV; - for stdout.")
@click.option("--parquet", "parquet_file", metavar="FILE", help="File to write: the same, Parquet; - for stdout.")
@click.option("--html", "html_file", metavar="FILE",
              help="File to write: all of it as one page for a browser, of several DIR, too.")  # fmt: skip
@click.option("--class", "name", metavar="NAME", help="All about one class: a synset, an ImageNet id, or a word.")
@click.option(
    "--filter",
    "filters",
    metavar="KEY=VALUE",
    callback=key_and_value,
    multiple=True,
    help="Only classes with this family, lexname, branch, flag, or word in their names. Repeatable; all must hold.",
)
@click.option("--under", metavar="SYNSET", help="Only SYNSET and its kinds, as animal.n.01.")
@click.option("--sort", type=click.Choice(SORTS), default="support", show_default=True, help="The order of classes.")
@limit_option(25)
@click.option("--thumbnails", type=click.IntRange(min=0), metavar="N",
              help="With --html: pictures of each class.  [default: 6]")  # fmt: skip
@json_option
def inspect(
    folders: tuple[str, ...],
    moved: dict[str, str],
    csv_file: str | None,
    parquet_file: str | None,
    html_file: str | None,
    name: str | None,
    filters: list[tuple[str, str]],
    under: str | None,
    sort: str,
    limit: int,
    thumbnails: int | None,
    as_json: bool,
) -> None:
    """Show what is in the label set DIR: its classes, what they cover, and which of them a person should look at.

    Flags: "odd sense", "meta", "unseeable", "ambiguous", "people", "name"; `--sort flags` puts the gravest first.

    \b
    Examples:
      catlip vocab inspect labels
      catlip vocab inspect labels --class dog.n.01
      catlip vocab inspect labels --filter word=bear
      catlip vocab inspect labels --under animal.n.01 --filter flag=ambiguous
      catlip vocab inspect labels --limit 0 --json > classes.json
      catlip vocab inspect labels --sort flags --csv classes.csv
      catlip vocab inspect labels other-labels --html report.html
    """
    if html_file is not None:
        if name is not None or filters or under or csv_file or parquet_file:
            raise click.UsageError("--html shows every class; give it alone, with --thumbnails, --moved or --json.")
        number = _THUMBNAILS if thumbnails is None else thumbnails
        report.write(folders, html_file, thumbnails=number, moved=moved, as_json=as_json)
        return
    if thumbnails is not None or moved:
        raise click.UsageError("--thumbnails and --moved go with --html.")
    if name is not None and (filters or under or csv_file or parquet_file):
        raise click.UsageError("--class shows one class; --filter, --under, --csv and --parquet are for many.")
    if [csv_file, parquet_file, "-" if as_json else None].count("-") > 1:
        raise click.UsageError("Standard output takes one of --csv -, --parquet - and --json.")
    from labelshards.labelset import LabelSet

    if len(folders) > 1:
        raise click.UsageError(
            f"Got {len(folders)} label sets, and shows one. A word goes with --filter word={folders[1]}; "
            "`catlip vocab diff` compares two, and --html shows several."
        )
    label_set = LabelSet.open(folders[0])
    atlas = _atlas()
    if name is not None:
        one_class.show(label_set, atlas, name, lambda: _totals(label_set), as_json=as_json)
        return
    from labelgen.audit import select
    from labelgen.audit.classes import class_table
    from labelgen.classes.export import to_csv
    from labelshards import parquet

    every = class_table(label_set, atlas)
    table = select.select(every, label_set.vocabulary, atlas, filters, under, sort)
    if csv_file is not None:
        write_out(to_csv(table), csv_file)
    if parquet_file is not None:
        write_out(parquet.to_bytes(table), parquet_file)
    if "-" in (csv_file, parquet_file):
        return
    if as_json:
        overview.print_as_json(label_set, _totals(label_set), table, limit)
        return
    if filters or under:
        overview.show_some(label_set, every, table, limit)
    else:
        overview.show(label_set, _totals(label_set), every, table, limit)
    for file in filter(None, (csv_file, parquet_file)):
        stderr.print(f"Wrote {len(table):,} classes to {file}.", markup=False, soft_wrap=True)
    if len(table):
        print_next("catlip", "vocab", "inspect", folders[0], "--class", str(table["synset"][0]))
    elif filters or under:
        print_next("catlip", "vocab", "inspect", folders[0])
    else:
        print_next("catlip", "labels", "build", "SOURCE...", "--out", "DIR")


def _atlas() -> "Atlas | None":
    """WordNet's map, or None, and a line that says what is missing."""
    from labelgen.meaning.atlas import read_atlas
    from labelshards.errors import CatlipError

    try:
        return read_atlas()
    except CatlipError as error:
        stderr.print(f"Note: no branches, ambiguity and neighbours are shown. {error}", markup=False, soft_wrap=True)
        return None


def _totals(label_set: "LabelSet") -> "Totals":
    from labelgen.audit.totals import read_totals

    with progress("Reading label shards", label_set.manifest.totals.samples) as ticker:
        return read_totals(label_set, lambda done, total: ticker.update(done, total=total))
