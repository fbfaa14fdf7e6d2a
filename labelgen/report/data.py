"""What stands in the page of a report: columns with a place for each class, counted for each label set."""

import msgspec

from labelgen.audit.flags import META, ODD, UNSEEABLE

# Flags of classes that do not mean what captions mean, or that a picture cannot show: these are marked.
GRAVE = (ODD, META, UNSEEABLE)


class Company(msgspec.Struct, frozen=True):
    """The most frequent classes, alike ones side by side, and the lift of each pair (null: too rare, or itself)."""

    classes: list[int]
    lift: list[list[float | None]]


class SetFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One label set. made: what made it; support_of: the label set whose corpus `support` counts, if it is another one;
    labels_per_sample: samples with 0, 1, 2, … labels; notes: sentences for people; pictures_note: why there are no more
    pictures.
    """

    name: str
    made: str
    samples: int
    labelled: int
    labels: int
    classes: int
    threshold: int | None
    support_of: str | None
    labels_per_sample: list[int]
    company: Company
    notes: list[str]
    pictures_note: str | None


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The K classes of all label sets. lexname, family: places in their lists; flags: bit i is flag i; node: place in
    Nodes; support, ambiguity: [label set][K], 0 and null where it has no such class.
    """

    synset: list[str]
    wnid: list[str]
    lemmas: list[str]
    gloss: list[str]
    lexname: list[int]
    family: list[int]
    flags: list[int]
    node: list[int]
    support: list[list[int]]
    ambiguity: list[list[float | None]]


class Nodes(msgspec.Struct, frozen=True):
    """Synsets that are classes or stand above them.

    parent: of each node the place of its first hypernym, which is before its own, or -1; others: (node, hypernym) for
    further hypernyms.
    """

    name: list[str]
    parent: list[int]
    others: list[tuple[int, int]]


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """What the page needs at once."""

    sets: list[SetFacts]
    families: list[str]
    lexnames: list[str]
    flags: list[tuple[str, str]]
    grave: tuple[str, ...]
    columns: Columns
    nodes: Nodes
    classes_per_block: int
    pictures_per_block: int
    foot: str


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """One class in one label set, read when the class is opened.

    terms: (term, count), most frequent first; captions: (caption, term); associates: (class, samples together, lift);
    other: the sense that its terms may rather have; pictures: places among the page's pictures.
    """

    terms: list[tuple[str, int]]
    more_terms: int
    captions: list[tuple[str, str]]
    associates: list[tuple[int, int, float]]
    other: str | None
    pictures: list[int]


class Picture(msgspec.Struct, frozen=True):
    """A thumbnail: a small WebP image of the sample `key`."""

    webp: bytes
    key: str
    caption: str | None


class Report(msgspec.Struct, frozen=True):
    """The whole page. details: [K][label set], null where a label set has no such class."""

    title: str
    core: Core
    details: list[list[Details | None]]
    pictures: list[Picture]
