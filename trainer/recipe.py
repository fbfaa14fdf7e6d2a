"""All settings of a run as a recipe, with what they mean: what `trainer.config` reads."""

import inspect
import textwrap
from collections.abc import Iterator

import msgspec

from trainer.config import FREE_KEYS, Config
from trainer.settings import as_toml

_WIDTH = 118


def as_recipe(config: Config) -> str:
    """TOML that reads back as `config`: each table with the docstring of its struct, each key with its value.

    A key without a value stands behind a `#`, a mark behind those of FREE_KEYS.
    """
    lines = ["# Where # * stands, a run may go on with another value.", ""]
    return "\n".join([*lines, *_table(config, "")]) + "\n"


def _table(struct: msgspec.Struct, name: str) -> Iterator[str]:
    """The lines of one struct: what it is, its keys, and then its tables."""
    # Without the name that it has in the text, which follows in its own line.
    about = inspect.cleandoc(type(struct).__doc__ or "").removeprefix(f"`[{name}]`: ")
    about = f"{about[:1].upper()}{about[1:]}"
    yield from textwrap.wrap(" ".join(about.split()), _WIDTH, initial_indent="# ", subsequent_indent="# ")
    if name:
        yield f"[{name}]"
    dotted = f"{name}." if name else ""
    values = {key: getattr(struct, key) for key in struct.__struct_fields__}
    for key, value in values.items():
        if not isinstance(value, msgspec.Struct):
            mark = "  # *" if f"{dotted}{key}" in FREE_KEYS else ""
            yield f"{f'# {key} =' if value is None else f'{key} = {as_toml(msgspec.to_builtins(value))}'}{mark}"
    for key, value in values.items():
        if isinstance(value, msgspec.Struct):
            yield ""
            yield from _table(value, f"{dotted}{key}")
