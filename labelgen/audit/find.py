"""A class by what a person calls it, and the nearest ones where there is none."""

import difflib

import pyarrow as pa
import pyarrow.compute as pc

from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.matching import plain
from labelshards.vocabulary import Vocabulary

_SUGGESTIONS = 5


def find_classes(label_set: LabelSet, name: str) -> list[int]:
    """Class ids of a synset's name, an ImageNet id, or a word, most frequent first.

    Raises CatlipError with the nearest names if there is no such class.
    """
    vocab = label_set.vocabulary
    for column in ("synset", "wnid"):
        class_id = pc.index(vocab.table[column], name).as_py()
        if class_id >= 0:
            return [int(class_id)]
    word = plain(name)
    found = [class_id for class_id, lemmas in enumerate(vocab.lemmas) if word in map(plain, lemmas)]
    if not found:
        raise CatlipError(f"{label_set.root} has no class {name!r}. {_nearest(vocab, name)}")
    return found


def mentions(vocab: Vocabulary, word: str) -> pa.Array:
    """bool [K]: the classes that have a word in a lemma, in the synset's name, or as their ImageNet id."""
    lemmas = vocab.table["lemmas"].cast(pa.list_(pa.string())).combine_chunks()  # Arrow joins no others
    lemmas = pc.utf8_lower(pc.binary_join(lemmas, "\n"))
    names = pc.replace_substring(pc.utf8_lower(vocab.table["synset"]), "_", " ")
    text = plain(word)
    found = pc.or_(pc.match_substring(lemmas, text), pc.match_substring(names, text))
    return pc.or_(found, pc.equal(vocab.table["wnid"], word))


def _nearest(vocab: Vocabulary, name: str) -> str:
    if not len(vocab):
        return "It has no classes at all."
    by_name = {
        plain(lemma): synset for synset, lemmas in zip(vocab.synsets, vocab.lemmas, strict=True) for lemma in lemmas
    }
    word = plain(name.partition(".")[0])
    near = difflib.get_close_matches(word, by_name, n=_SUGGESTIONS, cutoff=0.6)
    if not near:
        near = [lemma for lemma in by_name if word in lemma.split()][:_SUGGESTIONS]
    shown = ", ".join(dict.fromkeys(by_name[lemma] for lemma in near))
    return f"The nearest: {shown}." if shown else "`catlip vocab inspect` lists them."
