"""What a person should look at first: classes that a picture hardly shows, or that captions hardly mean."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelgen.meaning import stoplist
from labelgen.meaning.atlas import Atlas

ODD, META, UNSEEABLE, AMBIGUOUS, PEOPLE, NAME = FLAGS = (
    "odd sense",
    "meta",
    "unseeable",
    "ambiguous",
    "people",
    "name",
)
FLAG_TEXTS = {
    ODD: "captions usually mean something else by the terms that gave it",
    META: "speaks of the picture itself, not of what it shows",
    UNSEEABLE: "can hardly be seen: a thought, a time, a quantity, a relation",
    AMBIGUOUS: "half of its support or more comes from terms that captions use in other senses, too",
    PEOPLE: "a kind of person",
    NAME: "one single person, place or thing",
}

_UNSEEABLE_FILES_TEXT = """
    noun.attribute noun.cognition noun.feeling noun.motive noun.possession noun.process noun.quantity
    noun.relation noun.state noun.time verb.cognition verb.possession verb.stative
"""
_UNSEEABLE_FILES = frozenset(_UNSEEABLE_FILES_TEXT.split())
# What stands in these files and can be seen all the same: colours, shapes, poses, sunsets, shadows, fires, clouds.
_SEEN_TEXT = """
    visual_property.n.01 spatial_property.n.01 bodily_property.n.01 hour.n.02 night.n.01 season.n.02 illumination.n.02
    combustion.n.01 physical_phenomenon.n.01 tourist_attraction.n.01
"""
_SEEN_AFTER_ALL = tuple(_SEEN_TEXT.split())
_PEOPLE = ("person.n.01", "people.n.01")
# Words for pictures and their parts, beside those of the stop list that no labeler but the published rules gives.
_PICTURES_TEXT = """
    art artwork cartoon clip clipart collage concept copy design diagram doodle drawing film footage frame
    graphic graphics icon logo movie painting pattern portrait print render rendering selfie silhouette sketch
    symbol template texture vector version video
"""
_PICTURES = frozenset(_PICTURES_TEXT.split())


def flags_of(
    lexnames: pa.Array,
    meta: np.ndarray,
    odd: np.ndarray,
    ambiguous: np.ndarray,
    places: np.ndarray,
    atlas: Atlas | None,
) -> Mapping[str, np.ndarray]:
    """Flag → bool [K]. meta, odd, ambiguous: bool [K]; places: int64 [K], of the classes in the atlas, or -1."""
    files = lexnames.to_pylist()
    unseeable = np.array([file in _UNSEEABLE_FILES for file in files], bool)
    people = np.array([file == "noun.person" for file in files], bool)
    names = np.zeros(len(files), bool)
    if atlas is not None:
        known = places >= 0
        unseeable &= ~(_below_any(atlas, _SEEN_AFTER_ALL)[places] & known)
        people |= _below_any(atlas, _PEOPLE)[places] & known
        names = atlas.instances[places] & known
    return {ODD: odd, META: meta, UNSEEABLE: unseeable, AMBIGUOUS: ambiguous, PEOPLE: people, NAME: names}


def is_meta(terms: pa.Array) -> np.ndarray:
    """bool [T]: the terms that speak of the picture, or of anything."""
    words = pa.array([*stoplist.TERMS, *_PICTURES])
    found: np.ndarray = pc.is_in(terms, value_set=words).to_numpy(zero_copy_only=False)
    return found


def as_lists(flags: Mapping[str, np.ndarray]) -> pa.ListArray:
    """list<string> [K]: the flags of each class, gravest first."""
    table = np.stack([flags[name] for name in FLAGS], axis=1)
    counts = np.cumsum([0, *table.sum(axis=1)])
    of_class = np.nonzero(table)[1]
    return pa.ListArray.from_arrays(pa.array(counts, pa.int32()), pa.array(FLAGS).take(pa.array(of_class)))


def _below_any(atlas: Atlas, names: Sequence[str]) -> np.ndarray:
    found = np.zeros(len(atlas.ids), bool)
    for place in atlas.places_of(names):
        found |= atlas.below(place)
    return found
