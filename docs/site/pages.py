"""Pages of the site that stand elsewhere: the README, the changelog, and the commands' own help texts.

mkdocs calls `on_files` when it has found the pages in docs/, and `on_page_markdown` for each of them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from catlip_cli.main import cli

ROOT = Path(__file__).parents[2]
# Files of the project → pages.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
_WIDTH = 100
# What pages link to beside pages; it is part of the site as it is.
_FOLDERS = ("benchmarks/results", "examples")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=from_root((ROOT / source).read_text(encoding="utf-8"))))
    files.append(File.generated(config, "cli.md", content=commands()))
    files.append(File.generated(config, "assets/site.css", abs_src_path=str(ROOT / "docs/site/site.css")))
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).iterdir()):
            if path.suffix != ".md":
                files.append(File.generated(config, f"{folder}/{path.name}", abs_src_path=str(path)))
            else:
                files.append(File.generated(config, f"{folder}/{path.name}", content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401  (mkdocs hands over page, config and files)
    """Pages of docs/ name what lies beside docs/ by `../`; on the site it lies beside them."""
    return re.sub(r"\]\(\.\./(?=" + "|".join(_FOLDERS) + ")", "](", markdown)


def from_root(markdown: str) -> str:
    """Links of a file in the project's root, as they are on the site."""
    for source, page in PAGES.items():
        markdown = markdown.replace(f"]({source})", f"]({page})")
    return markdown.replace("](docs/", "](")


def commands() -> str:
    """The help text of every command, as a page."""
    return "\n\n".join(["# Commands", "What `catlip COMMAND --help` says.", *_sections(cli, "catlip")]) + "\n"


def _sections(command: click.Command, path: str) -> Iterator[str]:
    """path: what a person types. It is no chain of contexts, as usage lines of those name arguments in between."""
    context = click.Context(
        command, info_name=path, help_option_names=["-h", "--help"], max_content_width=_WIDTH, terminal_width=_WIDTH
    )
    yield f"## {path}"
    yield f"```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _sections(found, f"{path} {name}")
