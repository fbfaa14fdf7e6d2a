"""`catlip vocab`: look at what a label set's classes are before training on them, compare them, and decide."""

import click

from catlip_cli.vocab.coverage import coverage
from catlip_cli.vocab.inspect import inspect


@click.group()
def vocab() -> None:
    """Look at a label set's classes, compare them, and decide which to keep."""


for command in (inspect, coverage):
    vocab.add_command(command)
