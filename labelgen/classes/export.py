"""A vocabulary for other programs: JSON, CSV, the published code's pickle, timm's label names."""

import csv
import io
import pickle
from collections.abc import Callable, Mapping

import msgspec
import pyarrow as pa

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.schema import NOUNS
from labelshards.vocabulary import Vocabulary


def export(label_set: LabelSet, form: str) -> bytes:
    """The vocabulary in one of FORMATS. Raises CatlipError for one that cannot say what is in it."""
    return FORMATS[form](label_set.vocabulary)


def _json(vocab: Vocabulary) -> bytes:
    """An object with the digest, and an object a class."""
    found = {"vocabulary_digest": vocab.digest, "classes": vocab.table.to_pylist()}
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def to_csv(table: pa.Table) -> bytes:
    """A table of classes for a spreadsheet: a header, and a line a class; lists are joined by ` | `."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(" | ".join(value) if isinstance(value, list) else value for value in row.values())
    return text.getvalue().encode()


def _corenet(vocab: Vocabulary) -> bytes:
    """CoreNet's: a pickled dict, WordNet offset without leading zeros → count, by class id."""
    others = sorted(set(vocab.families) - {NOUNS})
    if others:
        raise CatlipError(
            f"CoreNet's vocabularies hold nouns alone, and this one has {', '.join(others)}. Choose another --format."
        )
    keys = [f"n{int(wnid[1:])}" for wnid in vocab.wnids]
    return pickle.dumps(dict(zip(keys, vocab.support.tolist(), strict=True)), protocol=4)


def _timm(vocab: Vocabulary) -> bytes:
    """The fields of a timm config.json that name classes: their ImageNet ids, and what each one is."""
    found = {
        "num_classes": len(vocab),
        "label_names": vocab.wnids,
        "label_descriptions": dict(zip(vocab.wnids, vocab.descriptions, strict=True)),
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


FORMATS: Mapping[str, Callable[[Vocabulary], bytes]] = {
    "json": _json,
    "csv": lambda vocab: to_csv(vocab.table),
    "corenet": _corenet,
    "timm": _timm,
}
