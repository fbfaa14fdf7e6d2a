"""The file of a learnt table: its weights, what it was taught, and how well it does on captions that it never saw."""

from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from labelgen.distill.weights import Weights
from labelshards import schema, storage
from labelshards.errors import CatlipError

NAME = schema.DISTILLED_NAME
_META = b"catlip.taught"


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Terms of the table against terms of the teacher, per caption: of all that it found, and of all it should have."""

    precision: float
    recall: float
    f1: float


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """by: digest of the settings of the teacher. captions, held_out: how many it learnt from, and was measured on.

    labels: agreement of the heads' terms, which become labels. terms: of all terms, with what they modify.
    """

    by: str
    captions: int
    held_out: int
    labels: Agreement
    terms: Agreement


class Table(NamedTuple):
    """A table, as it lies in its file. digest: of the file."""

    weights: Weights
    taught: Taught
    digest: str


def to_bytes(weights: Weights, taught: Taught) -> bytes:
    """The file."""
    return weights.to_bytes({_META: msgspec.json.encode(taught)})


def from_bytes(data: bytes, where: str) -> Table:
    """Raises CatlipError that names `where` if `data` is no such file."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(data)).metadata or {}
        taught = msgspec.json.decode(metadata[_META], type=Taught)
    except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError) as error:
        raise CatlipError(
            f"{where} is no table of --nouns distilled ({error}). Use --rebuild to learn it anew."
        ) from error
    return Table(Weights.from_bytes(data, where), taught, storage.digest(data))


def read(where: str) -> Table:
    """Raises CatlipError if there is no table, or one that cannot be read."""
    try:
        data = storage.read_bytes(where)
    except OSError as error:
        raise CatlipError(
            f"{where} cannot be read ({error}). A build with --nouns distilled writes it; "
            "name its folder with --labels."
        ) from error
    return from_bytes(data, where)
