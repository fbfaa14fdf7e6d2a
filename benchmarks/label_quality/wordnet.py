"""WordNet's nouns by name, for judging labels: hypernyms, words, sense keys. Knows no rule of any labeler."""

from functools import cache, cached_property

from labelgen import language_data
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.wordnet import Pos, Synset, lines, read_synsets, synset_id


@cache
def read_nouns() -> "Nouns":
    """Those of this machine's WordNet, read once."""
    return Nouns()


class Nouns:
    """The noun synsets of WordNet 3.0 under NLTK's names."""

    def __init__(self) -> None:
        self._folder = language_data.find_wordnet()
        self._by_id = {synset.id: synset for synset in read_synsets(self._folder).values() if synset.pos is Pos.NOUN}
        self._lexicon = Lexicon.load(self._folder)
        self.by_name: dict[str, Synset] = {synset.name: synset for synset in self._by_id.values()}
        self.by_wnid: dict[str, Synset] = {synset.wnid: synset for synset in self._by_id.values()}
        self.upwards = cache(self._upwards)

    def _upwards(self, name: str) -> frozenset[str]:
        """The synset itself and everything that it is a kind or an instance of."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                waiting += self.hypernyms(here)
        return frozenset(found)

    def hypernyms(self, name: str) -> list[str]:
        """What the synset is directly a kind of."""
        return [self._by_id[hypernym].name for hypernym in self.by_name[name].hypernyms]

    def senses(self, word: str) -> set[str]:
        """All synsets of a word (lower case, spaces between words), or of its singular."""
        found = self._lexicon.find(word, False)
        return set() if found is None else {self._by_id[synset].name for synset in found[1]}

    @cached_property
    def by_sense_key(self) -> dict[str, str]:
        """WordNet's sense keys of nouns (`dog%1:05:00::`) → synset name."""
        keys: dict[str, str] = {}
        for line in lines(self._folder, "index.sense"):
            key, offset, *_ = line.split(" ")
            if key.partition("%")[2].startswith("1"):
                keys[key] = self._by_id[synset_id(Pos.NOUN, int(offset))].name
        return keys
