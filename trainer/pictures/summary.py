"""What a pass over pictures says of itself."""

from collections import Counter
from typing import Any

import msgspec
import pyarrow as pa

from labelshards.errors import CatlipError

_NAMED_SOURCES = 3


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """pictures: rows; problems: of those that could not be read, by reason; damaged: tars that break off, and why.

    identity: of everything that the rows depend on.
    """

    identity: str
    model: str
    settings: dict[str, Any]
    pictures: int
    problems: dict[str, int]
    damaged: dict[str, str]

    @property
    def readable(self) -> int:
        """Pictures of which something was computed."""
        return self.pictures - sum(self.problems.values())

    def differs(self, model: str, settings: dict[str, Any]) -> str:
        """How this was made otherwise than with `model` and `settings`, in words."""
        before, now = ({"model": name, **each} for name, each in ((self.model, self.settings), (model, settings)))
        for name, value in now.items():
            if before.get(name) != value:
                return f"with {name} = {before.get(name)}, now it is {value}"
        return "of other pictures, or with other weights"


class Tally:
    """Counts pictures while their rows go by."""

    def __init__(self, identity: str, model: str, settings: dict[str, Any]) -> None:
        self._identity, self._model, self._settings = identity, model, settings
        self._pictures = 0
        self._problems: Counter[str] = Counter()
        self._damaged: dict[str, str] = {}

    def add(self, source: str, table: pa.Table, damage: str | None) -> None:
        """The rows of a part. source: the first file of its unit, which is `damage`d or not."""
        self._pictures += len(table)
        self._problems.update(problem for problem in table["problem"].to_pylist() if problem)
        if damage:
            self._damaged[source] = damage

    def summary(self) -> Summary:
        """Of all that was added. Raises CatlipError if no picture could be read."""
        found = Summary(
            identity=self._identity,
            model=self._model,
            settings=self._settings,
            pictures=self._pictures,
            problems=dict(self._problems.most_common()),
            damaged=self._damaged,
        )
        if not found.readable:
            why = [f"{count:,} {reason}" for reason, count in found.problems.items()]
            why += [f"{source} is {damage}" for source, damage in list(found.damaged.items())[:_NAMED_SOURCES]]
            what = "No picture could be read" if found.pictures else "No picture was found"
            raise CatlipError(f"{': '.join(filter(None, [what, '; '.join(why)]))}.")
        return found
