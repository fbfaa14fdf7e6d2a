"""The learnt table: how much each feature speaks for each class. Whole numbers, so that sums are the same anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelgen.distill.tagset import CLASSES, NUM_CLASSES
from labelshards import parquet
from labelshards.errors import CatlipError

# A weight of one nat is this number. A piece has fewer than 30 features, and 30 times LIMIT are still 16 bits.
NAT = 128
LIMIT = 1_080

_COLUMNS = pa.schema(
    [
        pa.field("place", pa.string(), nullable=False),
        pa.field("feature", pa.string(), nullable=False),
        *(
            pa.field(f"{tag or 'other'} {['outside', 'inside', 'head'][place]}", pa.int16(), nullable=False)
            for tag, place in CLASSES
        ),
    ]
)


@dataclass(frozen=True)
class Weights:
    """numbers: (place, feature) → its row. rows: int16 [features, NUM_CLASSES]. Row 0 is that of unknown features.

    A place says where the feature stands, seen from the piece: "-2" … "2", or "-1 0" and "0 1" for pairs.
    """

    numbers: dict[tuple[str, str], int]
    rows: np.ndarray

    def of(self, place: str, features: Sequence[Sequence[str]]) -> np.ndarray:
        """n times as many features → int16 [n, NUM_CLASSES]: what each of the n speaks for."""
        sums = np.zeros((len(features), NUM_CLASSES), np.int16)
        for column in zip(*features, strict=True):
            sums += self.rows[[self.numbers.get((place, feature), 0) for feature in column]]
        return sums

    def to_bytes(self, metadata: Mapping[bytes, bytes]) -> bytes:
        """Parquet, one row a feature, in the order of their numbers."""
        places, features = zip(*self.numbers, strict=True) if self.numbers else ((), ())
        classes = [pa.array(column) for column in self.rows[1:].T]
        columns = [pa.array(places, pa.string()), pa.array(features, pa.string()), *classes]
        return parquet.to_bytes(pa.Table.from_arrays(columns, schema=_COLUMNS), metadata)

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> "Weights":
        """Raises CatlipError that names `where` if this is no such table."""
        try:
            table = parquet.read_table(data).select(_COLUMNS.names).cast(_COLUMNS)
            rows = np.stack([column.to_numpy() for column in table.columns[2:]], axis=1)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise CatlipError(f"{where} is no table of a distilled labeler ({error}). Use --rebuild.") from error
        if len(rows) and np.abs(rows).max() > LIMIT:
            raise CatlipError(f"{where} holds weights that cannot be. Use --rebuild.")
        keys = zip(table["place"].to_pylist(), table["feature"].to_pylist(), strict=True)
        numbers = {key: number for number, key in enumerate(keys, 1)}
        return cls(numbers, np.concatenate([np.zeros((1, NUM_CLASSES), np.int16), rows]))
