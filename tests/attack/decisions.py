"""Readers of what people decide in files: terms, senses, classes; and CoreNet's pickled vocabularies."""

import pickle
import pickletools
import random
from functools import cache
from pathlib import Path
from unittest import mock

from labelgen import language_data
from labelgen.audit import targets
from labelgen.classes import corenet_vocabulary
from labelgen.classes.edit import Edits, read_edit
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.meaning import wordlists
from labelgen.meaning.atlas import Atlas, read_atlas
from tests.attack.reader import Reader
from tests.attack.shapes import of_columns

load_lexicon = Lexicon.load


@cache
def _atlas() -> Atlas:
    return read_atlas()


@cache
def _synsets() -> Synsets:
    return Synsets.load(language_data.find_wordnet())


@cache
def _lexicon() -> Lexicon:
    return load_lexicon(language_data.find_wordnet(), wordlists.read_terms(None))


def _senses(file: Path, _out: Path) -> None:
    wordlists.read_senses(str(file), _lexicon(), _synsets())
    wordlists.digest_of_senses(str(file))


def _edits(kind: str) -> Reader:
    names = ("deny", "merge", "split")
    seeds = {
        "deny": b"dog.n.01\nbelow cat.n.01\nnoun.time # no time\nn02084071\n",
        "merge": b"dog.n.01\tanimal.n.01\nbelow cat.n.01\tcat.n.01\nred.s.01+car.n.01\tcar.n.01\n",
        "split": b"mouse.n.01\tcomputer mouse\tmouse.n.04\n",
    }

    def call(file: Path, _out: Path) -> None:
        deny, merge, split = (str(file) if name == kind else None for name in names)
        Edits(read_edit(deny, merge, split, [], None), _atlas())

    return Reader(name=kind, file=f"{kind}.tsv", seeds=[seeds[kind]], call=call, shapes=(of_columns("\t"),))


def _targets(file: Path, _out: Path) -> None:
    """With a lexicon that is loaded once."""
    with mock.patch.object(Lexicon, "load", return_value=_lexicon()):
        targets.read_targets(str(file), _atlas())


_COUNTS = {"n2084071": 12, "n2121620": 9, "n1503061": 3}
_PICKLES = [pickle.dumps(_COUNTS, protocol) for protocol in range(6)]


def of_pickle(rng: random.Random, data: bytes) -> bytes | None:
    """One instruction is another one of some pickle, with its argument."""
    try:
        places = [at for _, _, at in pickletools.genops(data) if at is not None]
    except Exception:
        return None
    other = rng.choice(_PICKLES + _FOREIGN)
    starts = [at for _, _, at in pickletools.genops(other) if at is not None]
    at, start = rng.randrange(len(places)), rng.choice(starts)
    taken = other[start : start + rng.randint(1, 40)]
    end = places[at + 1] if at + 1 < len(places) else len(data)
    return data[: places[at]] + taken + data[rng.choice((places[at], end)) :]


_OBJECTS: tuple[object, ...] = (
    Path("x"), {"n1": 1.5}, [{}] * 9, {"n1": 2**70}, ({"a"},), {b"n1": True}, bytearray(b"x"), print,
)  # fmt: skip
_FOREIGN = [pickle.dumps(each) for each in _OBJECTS]

READERS = (
    Reader(name="terms", file="terms.tsv", seeds=[b"doggo\tdog.n.01 # a dog\nselfie\t-\n*\t-\n"],
           shapes=(of_columns("\t"),), call=lambda file, _out: wordlists.read_terms(str(file))),
    Reader(name="senses", file="senses.tsv", call=_senses, shapes=(of_columns("\t"),),
           seeds=[b"mouse\tmouse.n.04(keyboard desk) > mouse.n.01\ndog\tdog.n.01\n*\t!dog.n.03\n*\t-\n"]),
    *map(_edits, ("deny", "merge", "split")),
    Reader(name="class-list", file="classes.txt", shapes=(of_columns("\t"),),
           seeds=[b"# of mine\ndog\nn02084071\nhockey/arena\nspray, mist\nbank\tbank.n.01, bank.n.02\nauto showroom\n"],
           call=_targets),
    Reader(name="corenet-vocabulary", file="vocab.pkl", seeds=_PICKLES, shapes=(of_pickle,),
           call=lambda file, _out: corenet_vocabulary.read_vocabulary(str(file), _atlas())),
)  # fmt: skip
