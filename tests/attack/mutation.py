"""Bytes → other bytes, as damage, chance and malice would change them. The same for the same `random.Random`."""

import random
from collections.abc import Callable, Sequence

_MOST_REPEATED_BYTES = 1 << 17
_MOST_COPIES = 300

_EDGES = (-1, 0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b'"',
    b"\\",
    b"{",
    b"[",
    b"../",
    b"/etc/passwd",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3\x28",  # no UTF-8
    b"\xed\xa0\x80",  # half a surrogate
    "e\u0301é\u202e".encode(),  # one letter written in two ways, and a turn of direction
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"9" * 5000,
    b"\x1b[2J",
    b"%s%n{0}",
)

Edit = Callable[[random.Random, bytearray, Sequence[bytes]], bytearray]


def mutated(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """`data` with one to four edits, some of which take parts of `others`."""
    edited = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        edited = rng.choice(_EDITS)(rng, edited, others)
    return bytes(edited)


def _place(rng: random.Random, data: bytearray) -> int:
    return rng.randrange(len(data) + 1)


def _range(rng: random.Random, data: bytearray) -> slice:
    """Some bytes, more often few than many."""
    start = _place(rng, data)
    return slice(start, min(len(data), start + rng.randint(0, 2 ** rng.randint(0, 12))))


def _flip(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    for _ in range(rng.randint(1, 8)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _set(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return data


def _number(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    """A whole number of 1, 2, 4 or 8 bytes that somebody may take for a length."""
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    number = (rng.choice(_EDGES) + rng.randint(-1, 1)) % 256**size
    start = _place(rng, data)
    data[start : start + size] = number.to_bytes(size, "little" if order == "little" else "big")
    return data


def _cut(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    return data[: _place(rng, data)] if rng.random() < 0.5 else data[_place(rng, data) :]


def _leave_out(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    del data[_range(rng, data)]
    return data


def _repeat(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    part = _range(rng, data)
    copies = rng.randint(2, _MOST_COPIES) if rng.random() < 0.3 else 2
    data[part] = (data[part] * copies)[:_MOST_REPEATED_BYTES]
    return data


def _insert_word(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    start, word = _place(rng, data), rng.choice(WORDS)
    data[start : start + rng.choice((0, len(word)))] = word
    return data


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> bytearray:
    other = bytearray(rng.choice(others))
    data[_range(rng, data)] = other[_range(rng, other)]
    return data


def _swap(rng: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    one, two = _range(rng, data), _range(rng, data)
    data[one], data[two] = data[two], data[one]
    return data


_EDITS: tuple[Edit, ...] = (
    _flip,
    _set,
    _number,
    _cut,
    _leave_out,
    _repeat,
    _insert_word,
    _splice,
    _swap,
)
