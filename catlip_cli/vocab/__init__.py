"""`catlip vocab`: look at what a label set's classes are before training on them, compare them, and decide."""

import click

from catlip_cli.helps import InOrder
from catlip_cli.vocab.coverage import coverage
from catlip_cli.vocab.diff import diff
from catlip_cli.vocab.exchange import export, import_corenet
from catlip_cli.vocab.inspect import inspect
from catlip_cli.vocab.prune import prune


@click.group(cls=InOrder)
def vocab() -> None:
    """Look at a label set's classes, compare them, and decide which to keep.

    \b
    Examples:
      catlip vocab inspect demo/labels
      catlip vocab coverage demo/labels --against imagenet-1k
      catlip vocab prune demo/labels --threshold 100 --out demo/labels-small
      catlip vocab diff demo/labels demo/labels-small
    """


vocab.add_command(inspect)
vocab.add_command(coverage)
vocab.add_command(prune)
vocab.add_command(diff)
vocab.add_command(import_corenet)
vocab.add_command(export)
