"""Readers of captions and pictures as other people keep them: what `catlip labels build` is given."""

import bz2
import gzip
import io
import json
import lzma
import random
import re
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labelgen import sources
from labelgen.parsing.normalize import normalize
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Found, Sample, SourceDamageError, SourceError
from labelshards import schema
from labelshards.tars import TAR_BLOCK_BYTES
from tests.attack.reader import Reader
from tests.attack.shapes import Shape, of_columns, of_json, of_table
from tests.labelset_factory import COLOURS, picture

_SHARDS = 3
_SUM = slice(148, 156)


def reading(*choices: Fields) -> Callable[[Path, Path], None]:
    """A call that plans a file, or the folder that it lies in, and reads its first shards, with each of `choices`.

    What is read becomes clean text and columns, as extraction makes them. Raises SourceError if no choice can read it.
    """

    def call(file: Path, out: Path) -> None:
        del out
        source = str(file.parent) if file.name.startswith("in-") else str(file)
        refused = []
        for fields in choices or (Fields(),):
            try:
                for shard in sources.plan([source], fields)[:_SHARDS]:
                    _columns_of(sources.read(shard, fields))
            except SourceError as error:
                refused.append(error)
        if len(refused) == max(1, len(choices)):
            raise refused[0]

    return call


def _columns_of(found: Found) -> None:
    keys, texts, places = [], [], []
    with suppress(SourceDamageError):
        for each in found:
            if isinstance(each, Sample):
                keys.append(each.key)
                texts.append([normalize(caption)[0] for caption in each.captions])
                places.append(each.image and {"file": 0, "offset": each.image.offset, "size": each.image.size})
    pa.array(keys, pa.string())
    pa.array(texts, pa.list_(pa.string()))
    pa.array(places, schema.IMAGE)


def tar_of(members: Sequence[tuple[str, bytes]], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """A tar of (name, content)."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()


def sealed_tar(data: bytes) -> bytes:
    """The checksum of whatever may be a header, put right."""
    blocks = bytearray(data)
    for start in range(0, len(blocks) - TAR_BLOCK_BYTES + 1, TAR_BLOCK_BYTES):
        if b"ustar" in blocks[start + 250 : start + 270]:
            header = blocks[start : start + TAR_BLOCK_BYTES]
            header[_SUM] = b" " * 8
            blocks[start + _SUM.start : start + _SUM.stop] = b"%06o\0 " % sum(header)
    return bytes(blocks)


def of_tar(rng: random.Random, data: bytes) -> bytes | None:
    """One header says another type, size or name."""
    starts = [found.start() - 257 for found in re.finditer(b"ustar", data) if found.start() >= 257]
    if not starts:
        return None
    start, edited = rng.choice(starts), bytearray(data)
    where, values = rng.choice(_HEADER_FIELDS)
    value = rng.choice(values)
    edited[start + where : start + where + len(value)] = value
    return bytes(edited)


_SIZES = (
    b"77777777777\0", b"00000000000\0", b"-0000000001\0", b"10000000000\0", b"           \0",
    b"\x80" + b"\0" * 7 + b"\1\0\0\0", b"\xff" * 12, b"\x80" + b"\xff" * 11, b"9999\0", b"\0" * 12,
)  # fmt: skip
_HEADER_FIELDS: tuple[tuple[int, Sequence[bytes]], ...] = (
    (156, [bytes([kind]) for kind in b"01234567LKSxgXDMNVA\0\xff "]),
    (124, _SIZES),
    (0, (b"../../up.jpg\0", b"/abs.txt\0", b"\0", b"a" * 100, b".jpg\0", b"__x__\0", b"\xff.txt\0")),
    (0, (b"e\xcc\x81.jpg\0", b"\xc3\xa9.jpg\0")),
    (157, (b"00000.jpg\0", b"/etc/passwd\0", b"../up\0")),
    (257, (b"ustar  \0", b"ustar\x0000", b"ustar\0\xff\xff")),
    (345, (b"a" * 155, b"../..\0", b"\xff" * 155)),
    (512, (b"30 size=-1\n", b"11 path=\n", b"99 path=x\n", b"0 \n")),
    (512, (b"25 GNU.sparse.map=1,2,x\n", b"22 GNU.sparse.major=1\n")),
)  # fmt: skip

_JPG = picture(COLOURS[0], size=(8, 8))
_RECORD = {"key": "00000", "caption": "a dog", "captions": ["a dog", "two cats"], "url": "http://x", "n": 1}
_MEMBERS = [
    ("00000.jpg", _JPG), ("00000.txt", b"a dog on the grass"), ("00000.json", json.dumps(_RECORD).encode()),
    ("00001.webp", b"RIFF"), ("00001.txt", "zwei Hunde, \u201equoted\u201c".encode()), ("sub/00002.png", b"\x89PNG"),
]  # fmt: skip
_LONG = [("d" * 120 + "/" + "k" * 120 + ".jpg", _JPG), ("d" * 120 + "/" + "k" * 120 + ".txt", b"a cat")]
TARS = [tar_of(_MEMBERS), tar_of(_LONG, tarfile.GNU_FORMAT), tar_of(_LONG, tarfile.PAX_FORMAT), tar_of(_MEMBERS[:2])]
_ROWS = [{"key": f"{row:05d}", "caption": f"a dog and {row} cats", "image_path": "00000.jpg"} for row in range(4)]


def parquet_of(table: pa.Table) -> bytes:
    """A Parquet file, as pyarrow writes it by itself."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


_TABLE = pa.Table.from_pylist(_ROWS)
_LISTS = pa.table({"key": ["00000", "00001"], "captions": [["a dog", "a cat"], []], "image": [{"bytes": b""}, None]})
_TABLES = [
    parquet_of(_TABLE),
    parquet_of(_LISTS),
    parquet_of(_TABLE.set_column(1, "caption", _TABLE["caption"].dictionary_encode())),
]
_TSV = b"caption\tkey\timage_path\n" + b"".join(f"a dog {n}\t{n:05d}\t00000.jpg\n".encode() for n in range(4))
_CSV = b'caption,key,image_path\n"a ""dog"",\nand a cat",00000,00000.jpg\na bird,00001,\n'
_JSONL = b"".join(json.dumps(row).encode() + b"\n" for row in [*_ROWS, _RECORD])
_COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "00000.jpg"}, {"id": 2, "file_name": "x.jpg"}],
        "annotations": [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "a cat"}, {"image_id": 9}],
    }
).encode()
_TXT = "a dog\nzwei Hunde\r\n\ncafe\u0301 &amp; cr\u00e8me\n".encode()
_BESIDE = {"00000.jpg": _JPG}
_CHOSEN = Fields(caption_keys=("caption",), key_column="key", image_column="image_path")
_COLUMNS = (of_columns("\t"), of_columns(","))


def of_packed(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Shape:
    """The shape of compressed lines."""

    def change(rng: random.Random, data: bytes) -> bytes | None:
        try:
            edited = _COLUMNS[0](rng, unpack(data))
        except Exception:  # each compression has errors of its own
            return None
        return None if edited is None else pack(edited)

    return change


_COMPRESSIONS: tuple[tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]], ...] = (
    ("gz", gzip.decompress, partial(gzip.compress, mtime=0)),  # the same bytes at any time
    ("bz2", bz2.decompress, bz2.compress),
    ("xz", lzma.decompress, lzma.compress),
)

READERS = (
    Reader(name="tar", file="00000.tar", seeds=TARS, call=reading(Fields(), Fields(caption_keys=("caption",))),
           shapes=(of_tar,), seal=sealed_tar),
    Reader(name="tar-beside", file="00000.parquet", seeds=_TABLES, beside={"00000.tar": TARS[0]}, shapes=(of_table,),
           call=lambda file, out: reading(Fields(captions_from="parquet:caption"))(file.with_suffix(".tar"), out)),
    Reader(name="parquet", file="a.parquet", seeds=_TABLES, beside=_BESIDE, shapes=(of_table,),
           call=reading(Fields(), _CHOSEN, Fields(caption_keys=("captions",), key_column="image"))),
    Reader(name="tsv", file="a.tsv", seeds=[_TSV, b"a dog\thttp://x\n"], beside=_BESIDE, shapes=_COLUMNS[:1],
           call=reading(Fields(), _CHOSEN)),
    Reader(name="csv", file="a.csv", seeds=[_CSV], beside=_BESIDE, shapes=_COLUMNS[1:],
           call=reading(Fields(), _CHOSEN)),
    Reader(name="jsonl", file="a.jsonl", seeds=[_JSONL], beside=_BESIDE, shapes=(of_json,),
           call=reading(Fields(), _CHOSEN)),
    Reader(name="txt", file="a.txt", seeds=[_TXT], call=reading(), shapes=_COLUMNS[:1]),
    Reader(name="coco", file="captions.json", seeds=[_COCO], beside=_BESIDE, shapes=(of_json,),
           call=reading(Fields(), Fields(image_root="."))),
    Reader(name="folder", file="in-folder.json", seeds=[json.dumps(_RECORD).encode()], shapes=(of_json,),
           beside={"in-folder.jpg": _JPG, "b/c.jpg": _JPG, "b/c.txt": b"a cat"}, call=reading()),
    Reader(name="unnamed", file="captions", seeds=[TARS[0], _TABLES[0], _TSV, _CSV, _JSONL, _COCO],
           shapes=(of_json, *_COLUMNS), call=reading()),
    *(
        Reader(name=f"compressed-{name}", file=f"a.tsv.{name}", seeds=[pack(_TSV * 9)], call=reading(),
               shapes=(of_packed(unpack, pack),))
        for name, unpack, pack in _COMPRESSIONS
    ),
)  # fmt: skip
