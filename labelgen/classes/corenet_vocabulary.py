"""The vocabulary of the published code, a pickled dict, as a label set without samples.

Class ids are those of the published checkpoints' heads: the keys by falling count, equal ones in the order of the file.
"""

import io
import pickle
import pickletools
import re
from importlib.metadata import version
from typing import NoReturn

import msgspec
import numpy as np
import pyarrow as pa

from labelgen.dictionary import wordnet
from labelgen.dictionary.wordnet import Pos, synset_id
from labelgen.folder.outfolder import refuse_built, refuse_strangers
from labelgen.meaning.atlas import Atlas
from labelgen.meaning.resolve import Choice
from labelshards import parquet, schema, storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet, Manifest, Provenance, Totals
from labelshards.vocabulary import Vocabulary

_KEY = re.compile(r"n\d{1,8}")
_MOST = 2**63
# What a pickled dict of strings and integers is made of, in all of pickle's protocols. None of these can call anything,
# or build what is larger than its file.
_OPCODES_TEXT = """
    PROTO FRAME MARK STOP EMPTY_DICT DICT SETITEM SETITEMS PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE INT BININT BININT1 BININT2 LONG LONG1
"""
_OPCODES = frozenset(_OPCODES_TEXT.split())


_WANTED = "Give a vocabulary as CoreNet publishes them."


class _Nothing(pickle.Unpickler):
    """Knows no class and no function."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        """Refuse whatever a pickle wants to import."""
        raise pickle.UnpicklingError(f"it wants to run {module_name}.{global_name}")


def read_pickle(uri: str) -> dict[str, int]:
    """Key (`n2084071`) → count, in the order of the file. Raises CatlipError if there is anything else in it."""
    data = storage.read_bytes(uri)
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name not in _OPCODES:
                raise pickle.UnpicklingError(f"it uses {opcode.name}, with which a pickle can do more")
            if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > len(data):
                raise pickle.UnpicklingError("it asks for more memory than it has use for")
        found = _Nothing(io.BytesIO(data), encoding="ascii").load()
    except Exception as error:  # a broken pickle can raise anything
        raise CatlipError(
            f"{uri} was refused, it is no pickled dict of strings to integers: {error}. {_WANTED}"
        ) from error
    if type(found) is not dict or not found:
        what = "nothing" if found == {} else "no dict"
        raise CatlipError(f"{uri} holds {what}, where a vocabulary should be. {_WANTED}")
    for key, count in found.items():
        if type(key) is not str or not _KEY.fullmatch(key):
            told = repr(key[:40]) if type(key) is str else f"of type {type(key).__name__}"
            raise CatlipError(f"{uri} has a key {told}; CoreNet's are WordNet offsets like n2084071. {_WANTED}")
        if type(count) is not int or not 0 <= count < _MOST:
            raise CatlipError(f"{uri} has for {key} what is no count, a whole number, 0 or more. {_WANTED}")
    return found


def read_vocabulary(uri: str, atlas: Atlas, max_classes: int | None = None) -> Vocabulary:
    """The vocabulary in the pickle at `uri`. max_classes: the first so many.

    Raises CatlipError if it is refused, or if WordNet 3.0 has no such nouns.
    """
    counts = read_pickle(uri)
    ordered = sorted(counts.items(), key=lambda item: -item[1])[:max_classes]
    numbers = np.array([synset_id(Pos.NOUN, int(key[1:])) for key, _ in ordered], np.int64)
    places = atlas.places(numbers)
    if (places < 0).any():
        unknown = [ordered[at][0] for at in np.flatnonzero(places < 0)]
        raise CatlipError(
            f"{uri}: WordNet 3.0 has no nouns at {len(unknown):,} of {len(ordered):,} keys ({', '.join(unknown[:3])}). "
            f"It was made with another WordNet. {_WANTED}"
        )
    if len(set(places.tolist())) < len(places):
        raise CatlipError(f"{uri} has keys that mean the same synset. {_WANTED}")
    return _vocabulary(places, [count for _, count in ordered], atlas)


def import_corenet(uri: str, out: str, atlas: Atlas, max_classes: int | None = None) -> LabelSet:
    """Write the vocabulary in the pickle at `uri` to the folder `out`, as a label set without samples.

    Raises CatlipError as `read_vocabulary` does, and if `out` holds something else.
    """
    vocab = read_vocabulary(uri, atlas, max_classes)
    refuse_strangers(out)
    refuse_built(out, [])
    files = {
        schema.VOCABULARY_NAME: vocab.to_bytes(),
        schema.COOCCURRENCE_NAME: parquet.to_bytes(schema.COOCCURRENCE.empty_table()),
        schema.EXAMPLES_NAME: parquet.to_bytes(schema.EXAMPLES.empty_table()),
    }
    choice = Choice(
        senses="first", stoplist=False, modifiers=False, families={schema.NOUNS: 0}, hypernym_depth=0, pins=""
    )
    manifest = Manifest(
        format=schema.FORMAT,
        format_version=schema.FORMAT_VERSION,
        fingerprint=vocab.digest,
        threshold=None,
        vocabulary_digest=vocab.digest,
        vocabulary_from=storage.absolute(uri),
        with_captions=False,
        totals=Totals(samples=0, labelled=0, images=0, captions=0, labels=0, classes=len(vocab), problems={}),
        files={name: storage.digest(data) for name, data in files.items()},
        provenance=Provenance(
            catlip=version("catlip"),
            sources=[],
            labeler="corenet",
            settings=msgspec.to_builtins(choice),
            tools={"wordnet": {"version": wordnet.VERSION, "digest": wordnet.DIGEST}},
        ),
        shards=[],
        failed=[],
    )
    storage.remove(storage.join(out, schema.MANIFEST_NAME))
    for name, data in files.items():
        storage.write_bytes(storage.join(out, name), data)
    storage.write_bytes(storage.join(out, schema.MANIFEST_NAME), manifest.to_bytes())
    return LabelSet(out, manifest, vocab)


def _vocabulary(places: np.ndarray, counts: list[int], atlas: Atlas) -> Vocabulary:
    at = pa.array(places)
    columns = {
        "class_id": pa.array(np.arange(len(places)), pa.uint32()),
        "family": pa.array([schema.NOUNS] * len(places)),
        "wnid": pa.array([wordnet.wnid_of(number) for number in atlas.ids[places].tolist()]),
        "synset": pa.array([atlas.names[place] for place in places.tolist()]),
        "lemmas": atlas.lemmas.take(at).cast(schema.VOCABULARY.field("lemmas").type),
        "gloss": atlas.glosses.take(at),
        "lexname": atlas.lexnames.take(at),
        "support": pa.array(counts, pa.int64()),
    }
    return Vocabulary(pa.table([columns[name] for name in schema.VOCABULARY.names], schema=schema.VOCABULARY))
