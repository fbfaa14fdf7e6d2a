"""spaCy labels a sample of the corpus, and a table learns from it; a part of the sample tells how well it did."""

from collections.abc import Sequence

from labelgen import sources
from labelgen.dictionary.lexicon import Lexicon
from labelgen.distill import table
from labelgen.distill.agreement import agreement
from labelgen.distill.features import Describer
from labelgen.distill.labeler import Distilled
from labelgen.distill.lessons import learn
from labelgen.distill.table import Taught
from labelgen.mentions.terms import TermFinder
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import ChunkParser
from labelgen.sources.fields import Fields
from labelgen.sources.sample import InputShard, Sample, SourceError
from labelshards import storage
from labelshards.errors import CatlipError

DEFAULT_CAPTIONS = 50_000
DEFAULT_FLOOR = 0.9  # F1 of labels
# Below this there is too little to measure anything on.
MIN_CAPTIONS = 200
# From one shard, so many captions at most, if there are others: neighbours are often of one kind.
_PER_SHARD = 1_000
_HELD_OUT = 10  # every tenth


def sample(shards: Sequence[InputShard], fields: Fields, num_captions: int) -> list[str]:
    """Clean captions from everywhere in the corpus, about `num_captions`, or all if there are fewer.

    Shards are taken in the order of a hash of their names, captions of a shard at even distances. Which ones does
    not depend on anything else.
    """
    per_shard = max(_PER_SHARD, -(-num_captions // max(1, len(shards))))
    texts: list[str] = []
    for shard in sorted(shards, key=lambda shard: (storage.digest(shard.name.encode()), shard.name)):
        if len(texts) >= num_captions:
            break
        texts += _evenly(_captions(shard, fields), min(per_shard, num_captions - len(texts)))
    return texts


def teach(texts: Sequence[str], lexicon: Lexicon, model: str, by: str) -> bytes:
    """The file of the table that learns from what spaCy makes of `texts`.

    Raises CatlipError if they are too few.
    """
    if len(texts) < MIN_CAPTIONS:
        raise CatlipError(
            f"{len(texts):,} captions are too few to teach a table (--nouns distilled); it takes {MIN_CAPTIONS:,}, and "
            "ten thousands to be good. Use --nouns chunks."
        )
    parser, finder = ChunkParser(model), TermFinder(lexicon)
    mender = finder.mender
    parses = mender.mend_each(parser.parse(texts))
    to_learn = [number for number in range(len(texts)) if number % _HELD_OUT]
    weights = learn([texts[number] for number in to_learn], [parses[number] for number in to_learn], Describer(mender))
    held_out = range(0, len(texts), _HELD_OUT)
    right = [finder.find_in(parses[number]) for number in held_out]
    labels, terms = agreement(Distilled(lexicon, weights), [texts[number] for number in held_out], right)
    taught = Taught(by=by, captions=len(to_learn), held_out=len(held_out), labels=labels, terms=terms)
    return table.to_bytes(weights, taught)


def refuse_below(floor: float, taught: Taught) -> None:
    """Raise CatlipError if the table agrees with spaCy less than a person wants."""
    if taught.labels.f1 < floor:
        raise CatlipError(
            f"The table learnt from {taught.captions:,} captions agrees with spaCy's labels by "
            f"F1 = {taught.labels.f1:.3f} on {taught.held_out:,} others, below --distilled-floor {floor:g}.\n"
            "Teach it more with --distilled-captions and --rebuild, or use --nouns chunks."
        )


def _captions(shard: InputShard, fields: Fields) -> list[str]:
    """The raw captions of a shard, up to where it cannot be read; extraction says what is wrong with it."""
    found: list[str] = []
    try:
        for each in sources.read(shard, fields):
            if isinstance(each, Sample):
                found += each.captions
    except SourceError:
        pass
    return found


def _evenly(captions: Sequence[str], count: int) -> list[str]:
    count = min(count, len(captions))
    # The middle one of each of so many equal parts.
    chosen = (captions[(2 * number + 1) * len(captions) // (2 * count)] for number in range(count))
    return [text for caption in chosen if (text := normalize(caption)[0])]
