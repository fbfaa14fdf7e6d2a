"""Tags of pictures on stdout: a block of lines for a person, or a line of JSON for a program."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import msgspec

from catlip_cli import terminal

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ABOVE = 8


class TagLines:
    """words: what a person calls a synset, by its WordNet name."""

    def __init__(self, words: Mapping[str, str], *, as_json: bool) -> None:
        self._words = words
        self._show = self._as_json if as_json else self._as_text
        self._width = max((len(word) for word in words.values()), default=0)

    def add(self, table: "pa.Table") -> None:
        """The rows of a table of tags."""
        for row in table.to_pylist():
            self._show(row)

    def _as_json(self, row: dict[str, Any]) -> None:
        line = {"source": row["source"], "key": row["key"], "problem": row["problem"]}
        line["tags"] = self._listed(row["synsets"], row["probabilities"])
        if "above" in row:
            line["above"] = self._listed(row["above"], row["above_probabilities"])
        click.echo(msgspec.json.encode(line).decode())

    def _listed(self, synsets: list[str] | None, probabilities: list[float] | None) -> list[dict[str, Any]]:
        return [
            {"synset": synset, "word": self._words[synset], "probability": round(probability, 6)}
            for synset, probability in zip(synsets or (), probabilities or (), strict=True)
        ]

    def _as_text(self, row: dict[str, Any]) -> None:
        from trainer.tagging.picking import news_of, tags_of

        lines = [terminal.near(f"{row['source']}/{row['key']}" if row["source"] != row["key"] else row["key"])]
        if row["problem"]:
            lines.append(f"  {row['problem']}")
        for synset, probability in tags_of(row):
            lines.append(f"  {probability:6.1%}  {self._words[synset]:<{min(self._width, 24)}}  {synset}")
        if above := news_of(row):
            said = [f"{self._words[synset]} {probability:.0%}" for synset, probability in above[:_MOST_ABOVE]]
            lines.append(f"  above   {', '.join(said)}")
        elif not (row["problem"] or row["synsets"]):
            lines.append("  no tag reaches its threshold")
        click.echo("\n".join(lines))
