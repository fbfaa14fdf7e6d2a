"""`catlip train`: options → trainer.training.train → progress and a summary."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from catlip_cli import terminal, train_plan
from catlip_cli.options import json_option, moved_option, out_option

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.distributed import World
    from trainer.metrics import Metrics
    from trainer.training.session import Outcome, Start


@click.command()
@click.option("--labels", multiple=True, metavar="DIR", help="Label set made by `catlip labels build`. Repeatable.")
@moved_option
@out_option("DIR", "the run", required=False, local=True)
@click.option("--recipe", metavar="FILE", type=click.Path(path_type=Path), help="TOML file of settings; see recipes/.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Change one setting, as optim.lr=5e-4. Repeatable.")  # fmt: skip
@click.option("--allow-change", multiple=True, metavar="KEY",
              help="Go on though this setting is another than before. Repeatable.")  # fmt: skip
@click.option("--max-bad-fraction", type=click.FloatRange(0, 1), metavar="X",
              help="Fail if more than this share of the pictures is broken: data.max_bad_fraction.")  # fmt: skip
@click.option("--print-recipe", is_flag=True,
              help="Print all settings as a recipe, with what they mean; train nothing.")  # fmt: skip
@click.option("--plan", is_flag=True,
              help="Estimate what the run takes; train nothing. With plan.steps it needs no --labels.")  # fmt: skip
@click.option("--processes", type=click.IntRange(1), metavar="N",
              help="With --plan: of so many processes.  [default: as many as run this]")  # fmt: skip
@click.option("--dry-run", is_flag=True,
              help="Measure loader and step for some seconds, say which bounds; write nothing.")  # fmt: skip
@json_option
def train(
    labels: tuple[str, ...],
    moved: dict[str, str],
    out: Path | None,
    recipe: Path | None,
    overrides: tuple[str, ...],
    allow_change: tuple[str, ...],
    max_bad_fraction: float | None,
    print_recipe: bool,
    plan: bool,
    processes: int | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Train an image encoder on a label set.

    Runs on one process, or under torchrun on many. Ctrl-C saves a checkpoint; the same command goes on from there.

    \b
    Examples:
      catlip train --labels demo/labels --recipe recipes/demo_cpu.toml --out demo/run
      catlip train --recipe recipes/datacomp_vit_b16.toml --plan --processes 64
      torchrun --nproc-per-node 8 --no-python catlip train --labels labels --out run --set optim.lr=5e-4
    """
    if not (labels or plan or print_recipe):
        raise click.UsageError("Missing option '--labels'; only --plan and --print-recipe need none.")
    if processes and not plan:
        raise click.UsageError("--processes is for --plan. A run has as many processes as torchrun starts.")
    if out is None and not (dry_run or plan or print_recipe):
        raise click.UsageError("Missing option '--out'; only --dry-run, --plan and --print-recipe need none.")
    from labelshards import labelset
    from trainer import settings
    from trainer.naming import require_place

    # What is mistyped is told before torch is there, which takes seconds.
    written = settings.flatten(settings.read_recipe(recipe)) if recipe else {}
    held_out = (written | dict(settings.read_overrides(overrides))).get("eval.labels")
    reads = not (plan or print_recipe)
    for label_set in (*labels, *([held_out] if reads and isinstance(held_out, str) else [])):
        labelset.require_manifest(label_set)
    if out is not None and reads and not dry_run:
        require_place(out)
    from trainer import distributed
    from trainer.config import load
    from trainer.training.train import train as train_run

    if max_bad_fraction is not None:
        overrides = (*overrides, f"data.max_bad_fraction={max_bad_fraction}")  # the last one counts
    config = load(recipe, overrides)
    if print_recipe:
        return _print_recipe(config, as_json=as_json)
    again = _same_settings(labels, moved, out, recipe, overrides)
    if plan:
        num_processes = processes or int(os.environ.get("WORLD_SIZE", "1"))
        return train_plan.show(config, labels, num_processes, moved, [*again, "--dry-run"], as_json=as_json)
    with distributed.joined(config.distributed.timeout_seconds) as world, ExitStack() as stack:
        if out is None or dry_run:
            return _dry_run(config, labels, world, moved, again, as_json=as_json)
        outcome = train_run(
            config,
            labels=labels,
            out=out,
            world=world,
            watcher=_View(stack),
            moved=moved,
            allow_change=allow_change,
        )
    if world.is_main:
        if as_json:
            terminal.print_json({"out": str(out), **msgspec.to_builtins(outcome)})
        else:
            _print_summary(outcome, out)
    return 0 if outcome.finished else terminal.EXIT_INTERRUPTED


def _print_recipe(config: "Config", *, as_json: bool) -> int:
    if as_json:
        terminal.print_json(config)
    else:
        from trainer.recipe import as_recipe

        click.echo(as_recipe(config), nl=False)
    return 0


def _same_settings(
    labels: tuple[str, ...], moved: dict[str, str], out: Path | None, recipe: Path | None, overrides: tuple[str, ...]
) -> list[str]:
    """The words of the command that trains with these settings; what was not given has its metavar."""
    words = ["catlip", "train"]
    for option, values in (
        ("--labels", labels or ("DIR",)),
        ("--moved", [f"{old}={new}" for old, new in moved.items()]),
        ("--out", [str(out or "DIR")]),
        ("--recipe", [str(recipe)] if recipe else []),
        ("--set", overrides),
    ):
        words += [word for value in values for word in (option, value)]
    return words


def _dry_run(
    config: "Config",
    labels: tuple[str, ...],
    world: "World",
    moved: dict[str, str],
    again: list[str],
    *,
    as_json: bool,
) -> int:
    from trainer.training import dryrun

    with terminal.stderr.status("Opening") as status:
        found = dryrun.measure(config, labels=labels, world=world, moved=moved, on_phase=status.update)
    if not world.is_main:
        return 0
    if as_json:
        terminal.print_json(found)
        return 0
    where = f"loader processes: {found.num_workers}" if found.num_workers else "the trainer's own process"
    terminal.print_facts(
        f"Dry run: {found.batch_size:,} images of {found.image_size} px a step on {found.device}",
        [
            ("loader", f"{found.loader_images_per_second:,.0f} images/s ({where})"),
            ("step", f"{found.step_images_per_second:,.0f} images/s"),
            ("together", f"{found.images_per_second:,.0f} images/s; the {found.bound_by} bounds"),
            ("cores", f"{found.cores_needed:.1f} for a loader that keeps up with this device"),
        ],
    )
    terminal.print_next(*again)
    return 0


class _View:
    """The progress line of a run, open as long as `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._text = ""

    def start(self, start: "Start") -> None:
        """Open the progress line."""
        for note in start.notes:
            terminal.stderr.print(f"Note: {note}", markup=False, soft_wrap=True)
        if 0 < start.step < start.num_steps:
            terminal.stderr.print(f"Going on after step {start.step:,} of {start.num_steps:,}.")
        progress = terminal.progress("Training", start.num_steps, started_at=start.step)
        self._ticker = self._stack.enter_context(progress)

    def update(self, metrics: "Metrics | None", step: int) -> None:
        """Show one step more, and the last metrics beside it."""
        if metrics:
            self._text = (
                f"loss {metrics.loss:.3f}, {metrics.images_per_second:,.0f} images/s, "
                f"waiting for data {metrics.data_wait_share:.0%}"
            )
        self._ticker.update(step, self._text)


def _print_summary(outcome: "Outcome", out: Path) -> None:
    start, metrics, score = outcome.start, outcome.metrics, outcome.score
    if start.step >= start.num_steps:
        terminal.stdout.print(
            f"Nothing to do: {out} is finished ({start.num_steps:,} steps).", markup=False, soft_wrap=True
        )
    if metrics:
        learned = "the text tower among them" if start.num_classes is None else f"{start.num_classes:,} classes"
        terminal.print_facts(
            f"{'Trained' if outcome.finished else 'Stopped'} after step {metrics.step:,} of {start.num_steps:,}",
            [
                ("encoder", f"{start.num_parameters / 1e6:.1f} M parameters, {learned}"),
                ("samples seen", f"{metrics.samples:,} (there are {start.num_samples:,})"),
                ("loss", f"{metrics.loss:.3f}"),
                *([("held-out mAP", f"{score.mean_ap:.3f} ({score.samples:,} pictures)")] if score else []),
                ("rate", f"{outcome.images_per_second:,.0f} images/s"),
                ("time", terminal.duration(outcome.seconds)),
                ("broken pictures", _by_reason(metrics.bad, out)),
                ("checkpoint", outcome.checkpoint or "none"),
            ],
        )
    if outcome.finished:
        terminal.print_next("catlip", "probe", str(out), "--data", "DATA")
    else:
        terminal.stderr.print("Interrupted; the checkpoint is saved. Run the same command again to go on.")


def _by_reason(bad: dict[str, int], out: Path) -> str:
    from trainer.run import BROKEN_NAME

    reasons = ", ".join(f"{count:,} {reason}" for reason, count in bad.items())
    return f"{sum(bad.values()):,} ({reasons}); see {out / BROKEN_NAME}" if bad else "0"
