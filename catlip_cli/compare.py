"""`catlip probe compare`: results beside each other, as tables, Markdown, CSV or a picture."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.probes.compare import Group

FORMS = ("table", "markdown", "csv")


@click.command()
@click.argument("paths", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--task", help="Only results of this task.")
@click.option("--metric", help="What the plot shows.  [default: the first of each task]")
@click.option("--form", type=click.Choice(FORMS), default="table", show_default=True, help="Of what goes to stdout.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png", help="Draw it, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object.")
def compare(
    paths: tuple[Path, ...], task: str | None, metric: str | None, form: str, plot: Path | None, as_json: bool
) -> None:
    """Set results of probes beside each other: a table for each data set and task.

    RESULTS are files that `catlip probe` wrote, or folders or runs with such files. Numbers compare under the same
    protocol only, so each line says its own.

    \b
    Example:
      catlip probe compare demo/run/probes --form markdown
    """
    from labelshards import storage
    from trainer.probes import compare as comparing

    results = comparing.read_all(paths, task)
    groups = comparing.group(results)
    if plot is not None:
        # Where matplotlib keeps its cache is no news; it would say so where the home folder cannot be written to.
        logging.getLogger("matplotlib").addHandler(logging.NullHandler())
        from trainer.probes import chart

        storage.write_bytes(str(plot), chart.draw(comparing.panels(groups, metric)))
    if as_json:
        terminal.print_json({"results": results, "plot": None if plot is None else str(plot)})
    elif form == "csv":
        click.echo(comparing.to_csv(groups), nl=False)
    elif form == "markdown":
        click.echo("\n".join(comparing.to_markdown(each) for each in groups), nl=False)
    else:
        for each in groups:
            _print(each)
        if plot is not None:
            terminal.stdout.print(f"The plot is in {plot}.", markup=False, soft_wrap=True)
        else:
            terminal.print_next(f"catlip probe compare {' '.join(map(str, paths))} --plot probes.png")


def _print(group: "Group") -> None:
    terminal.stdout.print(group.title, style="bold", markup=False, soft_wrap=True)
    titles, rows = group.table()
    terminal.print_table(
        [(name, "right" if at >= len(group.words) else "left") for at, name in enumerate(titles)], rows
    )
