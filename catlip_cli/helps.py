"""How help texts are laid out: commands in the order in which people use them, examples at the very end."""

from inspect import cleandoc

import click

_EXAMPLES = "\b\nExample"


class InOrder(click.Group):
    """A group whose commands are listed as they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)


def examples_last(command: click.Command) -> None:
    """Move the examples that end a docstring behind the options, where a terminal stops; of sub-commands, too."""
    head, mark, examples = cleandoc(command.help or "").rpartition(_EXAMPLES)
    if mark:
        command.help, command.epilog = head.rstrip(), mark + examples
    if isinstance(command, click.Group):
        for each in command.commands.values():
            examples_last(each)
