"""What reading a source gives, as the tests of all formats look at it."""

from dataclasses import dataclass, field
from pathlib import Path

from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Leftover, Problem, Sample, SourceDamageError, SourceError


@dataclass
class Reading:
    """All shards' samples, captions of no sample by reason, and what each error said."""

    samples: list[Sample] = field(default_factory=list)
    leftovers: dict[Problem, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    rows_per_shard: list[int] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [sample.key for sample in self.samples]

    @property
    def captions(self) -> list[tuple[str, ...]]:
        return [sample.captions for sample in self.samples]

    @property
    def problems(self) -> list[tuple[Problem, ...]]:
        return [sample.problems for sample in self.samples]


def try_reading(*paths: Path | str, fields: Fields | None = None) -> Reading:
    """Read everything, and go on after errors, as a build does."""
    fields = fields or Fields()
    reading = Reading()
    for shard in sources.plan([str(path) for path in paths], fields):
        before = len(reading.samples)
        try:
            for found in sources.read(shard, fields):
                if isinstance(found, Leftover):
                    reading.leftovers[found.problem] = reading.leftovers.get(found.problem, 0) + found.count
                else:
                    reading.samples.append(found)
        except (SourceError, SourceDamageError) as error:
            reading.errors.append(str(error))
        reading.rows_per_shard.append(len(reading.samples) - before)
    return reading


def read(*paths: Path | str, fields: Fields | None = None) -> Reading:
    """Read everything; no error is expected."""
    reading = try_reading(*paths, fields=fields)
    assert reading.errors == []
    return reading
