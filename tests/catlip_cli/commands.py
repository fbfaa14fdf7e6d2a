"""The tree of commands, as tests walk it."""

import click

from catlip_cli.main import cli


def all_commands() -> dict[str, click.Command]:
    """`labels build` → its command, for every command there is."""
    return {name: command for name, command in all_helps().items() if name and not is_bare(command)}


def all_helps() -> dict[str, click.Command]:
    """The same, and groups, which do nothing but hold others; `catlip` itself is called ""."""
    found: dict[str, click.Command] = {"": cli}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None, name
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {sub}": child for sub, child in command.commands.items()}
    return found


def is_bare(command: click.Command) -> bool:
    """Whether it does nothing itself; `catlip probe MODEL` does, and has another beside it."""
    return isinstance(command, click.Group) and not command.params


def parse(words: list[str]) -> click.Context:
    """What the command of `catlip WORDS` makes of its arguments. Raises UsageError."""
    known = all_helps()
    length = 2 if " ".join(words[:2]) in known else 1
    name = " ".join(words[:length])
    return known[name].make_context(name, words[length:])
