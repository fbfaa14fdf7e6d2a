"""Stage 1: captions → nouns → synsets → support → label set. Runs on CPUs, once, and never sees torch."""

from collections.abc import Sequence


class Labeler:
    """Captions → WordNet synsets, in memory; what `catlip labels build` does, without pruning and without files.

    labeler: noun-chunks, pos-nouns (the paper's rule) or corenet (the published code's). senses: first, visual or
    context; None is the labeler's own. modifiers: nouns before nouns count, too. Loads WordNet and a spaCy model,
    which takes seconds; raises CatlipError if they are not there (`catlip labels setup` fetches them).
    """

    def __init__(self, labeler: str = "noun-chunks", *, senses: str | None = None, modifiers: bool = False) -> None:
        from labelgen.inmemory import Labelling  # not above: whoever only looks at label sets needs no spaCy

        self._labelling = Labelling(labeler, senses, modifiers=modifiers)

    def __call__(self, captions: Sequence[str]) -> list[list[str]]:
        """The synsets of each caption, by name (`dog.n.01`), sorted, each once.

        Under `context` the captions of one call are the corpus that has a say in what words mean.
        """
        if isinstance(captions, str):
            raise TypeError("A labeler takes a list of captions, not one.")
        return [sorted(names) for names in self._labelling.label([[caption] for caption in captions])]
