"""`catlip probe compare`: results beside each other, as tables, Markdown, CSV or a picture."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catlip_cli import terminal
from catlip_cli.options import TASKS, WordList, json_option, refuse_idle

if TYPE_CHECKING:
    from trainer.probes.compare import Group

FORMS = ("table", "markdown", "csv")


@click.command(short_help="Set results of probes beside each other.")
@click.argument("paths", metavar="RESULTS...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="File to write: the same drawn, PNG.")  # fmt: skip
@click.option("--task", "tasks", type=WordList(TASKS), metavar="LIST", help="Tasks, of all that have results.")
@click.option("--metric", metavar="NAME", help="What the plot shows.  [default: the first of each task]")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True,
              help="Form of what is written to standard output.")  # fmt: skip
@json_option
def compare(
    paths: tuple[Path, ...], plot: Path | None, tasks: list[str] | None, metric: str | None, form: str, as_json: bool
) -> None:
    """Set results of probes beside each other: a table for each data set and task.

    RESULTS are files that `catlip probe` wrote, or folders or runs with such files. Numbers compare under the same
    protocol only, so each line says its own.

    \b
    Example:
      catlip probe compare demo/run/probes --format markdown
    """
    if plot is None:
        refuse_idle(("metric",), "--plot")
    if as_json:
        refuse_idle(("form",), "tables, not with --json")
    from labelshards import storage
    from trainer.probes import compare as comparing

    results = comparing.read_all(paths, tasks)
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
            terminal.print_next("python", "-m", "webbrowser", str(plot))
        else:
            terminal.print_next("catlip", "probe", "compare", *map(str, paths), "--plot", "probes.png")


def _print(group: "Group") -> None:
    terminal.stdout.print(group.title, style="bold", markup=False, soft_wrap=True)
    titles, rows = group.table()
    terminal.print_table(
        [(name, "right" if at >= len(group.words) else "left") for at, name in enumerate(titles)], rows
    )
