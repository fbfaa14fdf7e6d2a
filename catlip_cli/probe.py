"""`catlip probe`: options → trainer.probes → a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from catlip_cli import terminal

if TYPE_CHECKING:
    from trainer.probes.linear import LinearResult, LinearScore


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--data", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Folder with train/ and test/."
)
@click.option("--best", is_flag=True, help="Take the best checkpoint that was evaluated, not the newest.")
@click.option("--no-random", is_flag=True, help="Leave out the untrained encoder of the same architecture.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def probe(run: Path, data: Path, best: bool, no_random: bool, as_json: bool) -> None:
    """Measure what the encoder of RUN knows: a linear classifier on its frozen features.

    DIR holds train/<class>/*.jpg and test/<class>/*.jpg (or val/). Features are kept in RUN/features and computed
    once. Beside the run stands an encoder with random weights, so that the number says something.

    \b
    Example:
      catlip probe demo/run --data demo/data/objects
    """
    from trainer.distributed import default_device
    from trainer.probes import linear

    with terminal.progress("Encoding", 0) as ticker:
        result = linear.probe(
            run,
            data,
            device=default_device(),
            best=best,
            with_random=not no_random,
            report=lambda done, total, what: ticker.update(done, what, total),
        )
    if as_json:
        terminal.print_json(result)
    else:
        _print(result)


def _print(result: "LinearResult") -> None:
    rows = [_row(f"this run (step {result.step:,})", result.trained)]
    if result.random:
        rows.append(_row("random weights", result.random))
    rows.append(("most frequent class", f"{result.chance:.1%}", "", ""))
    terminal.stdout.print(
        f"Linear probe on {result.data}: {result.num_classes} classes, "
        f"{result.num_train:,} pictures to train on, {result.num_test:,} to test",
        style="bold",
        markup=False,
        soft_wrap=True,
    )
    terminal.print_table(
        [("encoder", "left"), ("top-1", "right"), ("top-5", "right"), ("learning rate", "right")],
        rows,
    )
    if result.trained.broken:
        terminal.stdout.print(f"{result.trained.broken:,} pictures could not be read and were left out.")


def _row(name: str, score: "LinearScore") -> tuple[str, str, str, str]:
    return name, f"{score.top1:.1%}", f"{score.top5:.1%}", f"{score.lr:g}"
