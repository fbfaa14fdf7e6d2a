"""What the table says of a piece: a tag, and its place in a noun chunk. One small number for both.

Tags are spaCy's, as far as the terms need them: participles are one, and so are other verbs, and all adjectives.
"""

import numpy as np

from labelgen.parsing.parse import Parse

_NOUN_TAGS = ("NN", "NNS", "NNP", "NNPS")
_OTHER_TAGS = ("", "JJ", "VB", "VBG", "IN", "DT", "CD", "PRP")
_AS = (
    {tag: tag for tag in (*_NOUN_TAGS, "IN", "DT", "CD")}
    | dict.fromkeys(("JJ", "JJR", "JJS"), "JJ")
    | dict.fromkeys(("VB", "VBD", "VBP", "VBZ"), "VB")
    | dict.fromkeys(("VBG", "VBN"), "VBG")
    | {"PRP$": "CD"}  # both count what follows
    | dict.fromkeys(("PDT", "WDT", "PRP", "WP", "WP$", "EX"), "PRP")
)

OUTSIDE, INSIDE, HEAD = range(3)
# The first is what is taken where nothing speaks for another.
CLASSES = tuple((tag, place) for tag in _OTHER_TAGS for place in (OUTSIDE, INSIDE)) + tuple(
    (tag, place) for tag in _NOUN_TAGS for place in (INSIDE, HEAD)
)
NUM_CLASSES = len(CLASSES)
_NUMBER_OF = {each: number for number, each in enumerate(CLASSES)}

# [NUM_CLASSES] each: what a class means.
TAG_OF = tuple(tag for tag, _ in CLASSES)
PLACE_OF = np.array([place for _, place in CLASSES], np.int8)


def is_tag(*tags: str) -> np.ndarray:
    """bool [NUM_CLASSES]: the classes with one of these tags."""
    return np.array([tag in tags for tag in TAG_OF])


IS_NOUN = is_tag(*_NOUN_TAGS)


def classes_of(parse: Parse) -> list[int]:
    """The class of each word of a parse. Only chunks that end in a noun count: others give no term."""
    places = [OUTSIDE] * len(parse.words)
    for start, end in parse.chunks:
        if parse.words[end - 1].tag in _NOUN_TAGS:
            places[start:end] = [INSIDE] * (end - start - 1) + [HEAD]
    tags = [_AS.get(word.tag, "") for word in parse.words]
    return [_NUMBER_OF.get(each, 0) for each in zip(tags, places, strict=True)]


def chunks_of(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int [N] classes of pieces → (chunk of each piece, or -1, int64 [N]; where each starts and ends, int64 [chunks]).

    A chunk ends in a head, or in a noun that nothing of a chunk follows. What no noun ends is no chunk.
    """
    places = PLACE_OF[classes]
    is_outside = places == OUTSIDE
    before_outside = np.append(is_outside[1:], True)
    is_last = (places == HEAD) | (~is_outside & IS_NOUN[classes] & before_outside)
    lasts = np.append(np.flatnonzero(is_last), -1)  # pieces behind the last chunk find what is appended
    chunks = np.cumsum(is_last) - is_last
    num_outside = np.cumsum(is_outside)
    is_cut_off = num_outside[lasts[chunks]] != num_outside
    chunks[is_outside | is_cut_off | (chunks == len(lasts) - 1)] = -1
    starts = np.flatnonzero((chunks >= 0) & (np.append(-1, chunks[:-1]) != chunks))
    return chunks, starts, lasts[:-1] + 1
