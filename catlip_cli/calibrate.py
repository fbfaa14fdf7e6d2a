"""`catlip calibrate`: options → trainer.tagging → a threshold for each class."""

import re

import click

from catlip_cli import terminal
from catlip_cli.options import best_option, json_option, moved_option, out_option


class _Precision(click.ParamType[float | None]):
    """`precision=0.9`, as 0.9; or `f1`, as None."""

    name = "GOAL"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Raises BadParameter for what is no goal."""
        if value == "f1":
            return None
        number = re.fullmatch(r"precision=(0?\.\d+|1(?:\.0+)?)", str(value))
        if number is None or not 0 < float(number[1]) <= 1:
            self.fail(f"{value!r} is neither f1 nor precision=0.9.", param, ctx)
        return float(number[1])


@click.command()
@click.argument("model")
@click.option("--labels", required=True, metavar="DIR", help="Label set with the model's vocabulary, best held out.")
@best_option
@moved_option
@out_option("FILE", "a threshold for each class, Parquet")
@click.option("--goal", "precision", type=_Precision(), default="f1", show_default=True, metavar="GOAL",
              help="f1; or precision=0.9: as many tags as are right so often.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=50_000, show_default=True, metavar="N",
              help="Pictures to look at, drawn evenly.")  # fmt: skip
@json_option
def calibrate(
    model: str,
    labels: str,
    best: bool,
    moved: dict[str, str],
    out: str,
    precision: float | None,
    count: int,
    as_json: bool,
) -> int:
    """Find a threshold for each class of MODEL, on pictures whose labels are known.

    MODEL is a run, or an exported folder with head and vocabulary. Classes with fewer than five labelled pictures share
    one threshold. A caption does not name everything that is in its picture, so real precision is higher than what is
    reported.

    \b
    Example:
      catlip calibrate demo/run --labels demo/heldout-labels --out demo/thresholds.parquet
    """
    from labelshards import labelset
    from trainer.naming import kind_of_model

    kind_of_model(model, best=best)  # a mistyped path is told before torch is there, which takes seconds
    labelset.require_manifest(labels)
    from trainer.distributed import default_device
    from trainer.opening import PRETRAINED, open_model
    from trainer.predictions import open_matching
    from trainer.tagging import calibration, counts, tagger

    goal = calibration.Goal(precision=precision)
    encoder = open_model(model, PRETRAINED, default_device(), best=best).encoder
    vocabulary = tagger.vocabulary_of(encoder)
    label_set = open_matching(vocabulary, labels)
    with terminal.progress("Calibrating", min(count, label_set.manifest.totals.images)) as ticker:
        found = counts.count(encoder, label_set, count, moved, lambda done, _total: ticker.update(done))
    table = calibration.calibrate(found, vocabulary, goal)
    calibration.write_thresholds(table, out)
    seen = calibration.overview(table)
    if as_json:
        terminal.print_json(
            {"out": out, "goal": str(goal), "pictures": found.pictures, "problems": found.problems, "thresholds": seen}
        )
        return 0
    terminal.print_facts(
        f"Wrote {out}",
        [
            ("goal", str(goal)),
            ("pictures", f"{found.pictures:,}"),
            *[("left out", f"{number:,} ({reason})") for reason, number in found.problems.items()],
            ("classes", f"{seen.own:,} with a threshold of their own, {seen.pooled:,} that share one"),
            ("never tags", f"{seen.never:,}, which do not reach the goal"),
            ("median threshold", "none" if seen.median_threshold is None else f"{seen.median_threshold:.3f}"),
        ],
    )
    terminal.print_next("catlip", "tag", model, "PICTURE...", "--thresholds", out)
    return 0
