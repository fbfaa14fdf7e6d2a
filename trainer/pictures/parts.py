"""A folder of parts: tables that are there whole or not at all, and whose names say what they are.

So what is left to do is read off one listing, by whoever goes on.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from labelshards import parquet, storage
from labelshards.errors import CatlipError
from trainer.pictures.units import Unit
from trainer.pictures.work import Part, Work

SUFFIX = ".parquet"
_DAMAGE = b"catlip.damage"


class PartName(NamedTuple):
    """unit: its name, for people. digest: of its pictures and of what is computed. number: from 0, of so many."""

    unit: str
    digest: str
    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.unit}-{self.digest}-{self.number:05d}-of-{self.of:05d}{SUFFIX}"

    @classmethod
    def parse(cls, name: str) -> "PartName":
        """Of a file. Raises ValueError if it is none."""
        unit, digest, number, _, of = name.removesuffix(SUFFIX).rsplit("-", 4)  # names of units have hyphens, too
        return cls(unit, digest, int(number), int(of))


class Parts:
    """The parts of `units` in a folder. Raises CatlipError if there are parts of others, or by another `work`."""

    def __init__(self, folder: str, work: Work, units: Sequence[Unit]) -> None:
        self.folder = folder
        self.units = {work.digest(unit): unit for unit in units}
        self._digests = {unit: digest for digest, unit in self.units.items()}
        self._names: dict[str, dict[int, PartName]] = {digest: {} for digest in self.units}
        for name in storage.list_files(folder):
            if name.endswith(SUFFIX):
                self._add(name)

    @property
    def identity(self) -> str:
        """Digest of everything that the parts depend on."""
        return storage.digest("\n".join(self.units).encode())

    def left(self) -> Iterator[tuple[Unit, frozenset[int]]]:
        """Units that lack parts, and the numbers of those that they have."""
        for digest, unit in self.units.items():
            done = self._names[digest]
            if not done or len(done) < next(iter(done.values())).of:
                yield unit, frozenset(done)

    def write(self, part: Part) -> None:
        """Keep a part."""
        digest = self._digests[part.unit]
        name = PartName(part.unit.name, digest, part.number, part.of)
        table = part.table
        if part.damage:
            table = table.replace_schema_metadata({_DAMAGE: part.damage.encode()})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        storage.write_bytes(storage.join(self.folder, str(name)), bytes(sink.getvalue()))
        self._names[digest][part.number] = name

    def read(self, columns: Sequence[str] | None = None) -> Iterator[tuple[Unit, pa.Table, str | None]]:
        """(unit, rows, damage of the unit) of all parts, in the order of the pictures."""
        for digest, unit in self.units.items():
            for _, name in sorted(self._names[digest].items()):
                table = parquet.read_table(storage.read_bytes(storage.join(self.folder, str(name))), columns)
                damage = (table.schema.metadata or {}).get(_DAMAGE)
                yield unit, table.replace_schema_metadata(None), damage.decode() if damage else None

    def _add(self, file: str) -> None:
        try:
            name = PartName.parse(file)
        except ValueError:
            name = None
        if name is None:
            raise CatlipError(f"{self.folder} holds other files, {file} among them. Choose another --out.")
        if name.digest not in self._names:
            raise CatlipError(
                f"{self.folder} holds {file}, which is of other pictures, settings or weights. "
                "Give the earlier command again, remove that folder, or choose another --out."
            )
        self._names[name.digest][name.number] = name
