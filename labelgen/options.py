"""What a person asks of a build, and what follows from it: settings, choices, and the language that it needs."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version

import msgspec

from labelgen import engines, labelers, language_data
from labelgen.arrays.memory import collections_spared
from labelgen.dictionary import wordnet
from labelgen.dictionary.lexicon import Lexicon
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import Folder, Sense
from labelgen.distill import keep, teach
from labelgen.extract import Extractor, Settings
from labelgen.labelers import Tools
from labelgen.meaning import wordlists
from labelgen.meaning.resolve import Choice, Language
from labelgen.mentions.corenet import find_tokenizer
from labelgen.parsing.nouns import CHUNKS, model_provenance
from labelgen.sources.fields import Fields
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.schema import FAMILIES, NOUNS

# Raise it when the same caption may get other labels than before: candidate shards made under other rules are refused.
RULES = 3
DEFAULT_THRESHOLD = 500
# When more of the shards than this fail, something is wrong that a person should look at before a label set is made.
DEFAULT_MAX_BAD_FRACTION = 0.5


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person asks for.

    sources: what `sources.scan` takes, and `-` for standard input. fields: where in them things are.
    vocabulary_from: a label set whose vocabulary is taken instead of a new one. senses: the policy, and stoplist:
    whether words about the picture itself are left out; None is the labeler's own way. families: family → threshold,
    beside the nouns; None is that of the nouns. terms, pins: files as wordlists.py reads them. nouns: where noun chunks
    come from (nouns.NOUNS). distilled_captions, distilled_floor: how many captions teach the table, and the agreement
    (F1) that it must reach. num_workers: None is one a core, of this machine or of the Ray cluster. max_bad_fraction:
    of the shards, how many may fail.
    """

    sources: Sequence[str]
    out: str
    threshold: int = DEFAULT_THRESHOLD
    vocabulary_from: str | None = None
    labeler: str = labelers.DEFAULT
    nouns: str = CHUNKS
    distilled_captions: int = teach.DEFAULT_CAPTIONS
    distilled_floor: float = teach.DEFAULT_FLOOR
    fields: Fields = field(default_factory=Fields)
    senses: str | None = None
    stoplist: bool | None = None
    modifiers: bool = False
    families: Mapping[str, int | None] = field(default_factory=dict)
    hypernym_depth: int = 2
    terms: str | None = None
    pins: str | None = None
    keep_captions: bool = False
    keep_candidates: bool = True
    engine: str = engines.LOCAL
    num_workers: int | None = None
    max_bad_fraction: float = DEFAULT_MAX_BAD_FRACTION
    retry_failed: bool = False
    rebuild: bool = False


def settings_for(options: Options, model: str) -> Settings:
    """What decides the candidates: the options that do, and the versions of everything that reads a caption.

    Raises CatlipError for a choice of nouns that the labeler has not.
    """
    if options.nouns != CHUNKS and options.labeler != labelers.DEFAULT:
        raise CatlipError(
            f"--nouns {options.nouns} goes with --labeler {labelers.DEFAULT}; no other labeler has noun chunks."
        )
    if labelers.KINDS[options.labeler].parses:
        reader = {"spacy": model_provenance(model)}
    else:
        reader = {"nltk": {"version": version("nltk"), "tokenizer": find_tokenizer()[0]}}
    return Settings(
        rules=RULES,
        labeler=options.labeler,
        nouns=options.nouns,
        fields=options.fields,
        keep_captions=options.keep_captions,
        terms=wordlists.digest(options.terms),
        tools={**reader, "wordnet": {"version": wordnet.VERSION, "digest": wordnet.DIGEST}},
    )


def choice_for(options: Options) -> Choice:
    """What decides the labels once the candidates are there. Raises CatlipError for a choice that cannot be."""
    kind = labelers.KINDS[options.labeler]
    senses = options.senses or kind.senses
    asked = {
        "--policy": senses != kind.senses,
        "--families": bool(options.families),
        "--modifiers": options.modifiers,
        "--terms": options.terms is not None,
    }
    if not kind.parses and any(asked.values()):
        raise CatlipError(
            f"The labeler {options.labeler} is the published rule: it takes first senses and knows nouns alone. "
            f"Leave out {' and '.join(name for name, wrong in asked.items() if wrong)}, or choose another labeler."
        )
    families = {NOUNS: options.threshold}
    families |= {
        family: options.threshold if own is None else own
        for family in FAMILIES
        if (own := options.families.get(family, -1)) != -1 and family != NOUNS  # None asks for it, too
    }
    return Choice(
        senses=senses,
        stoplist=not kind.meta_words if options.stoplist is None else options.stoplist,
        modifiers=options.modifiers,
        families=families,
        hypernym_depth=options.hypernym_depth,
        pins=wordlists.digest_of_senses(options.pins),
    )


def as_in(given: LabelSet, choice: Choice) -> Choice:
    """The choice with the families of the label set whose vocabulary is taken, so that all of its classes are given."""
    settings = given.manifest.provenance.settings
    return msgspec.structs.replace(
        choice, families=settings["families"], hypernym_depth=int(settings["hypernym_depth"])
    )


def load_language(labeler: str, terms: str | None, pins: str | None, folder: Folder) -> Language:
    """WordNet, checked, with the terms added to it and the senses decided by hand."""
    senses = cache(lambda: list(wordnet.read_senses(folder)))  # both may have to be made of them
    with collections_spared():
        synsets = Synsets.load(folder, senses)
        lexicon = load_lexicon(labeler, terms, folder, senses)
        return Language(lexicon, synsets, wordlists.read_senses(pins, lexicon, synsets))


def load_lexicon(
    labeler: str, terms: str | None, folder: Folder, senses: Callable[[], Iterable[Sense]] | None = None
) -> Lexicon:
    """The lexicon that a labeler uses: the published rule knows WordNet's own terms alone. `senses`: as its `load`."""
    added = wordlists.read_terms(terms) if labelers.KINDS[labeler].parses else {}
    try:
        return Lexicon.load(folder, added, senses)
    except CatlipError as error:
        if terms is None:
            raise
        raise CatlipError(f"{terms}: {error}") from error


def make_extractor(
    settings: Settings, terms: str | None, model: str, folder: Folder, candidate_folder: str
) -> Extractor:
    """What each worker loads, once."""
    lexicon = load_lexicon(settings.labeler, terms, folder)
    weights = keep.read(candidate_folder, settings.table).weights if settings.table else None
    tools = Tools(lexicon, folder, model, settings.nouns, weights)
    return Extractor(settings=settings, tools=tools, folder=candidate_folder)


def make_extractor_elsewhere(options: Options, settings: Settings, candidate_folder: str) -> Extractor:
    """What a worker on another machine loads, from there. Raises CatlipError if it would label otherwise."""
    model = language_data.spacy_model()
    here = msgspec.structs.replace(settings_for(options, model), table=settings.table)
    if here != settings:
        differing = [name for name in settings.__struct_fields__ if getattr(here, name) != getattr(settings, name)]
        raise CatlipError(
            f"{socket.gethostname()} has {', '.join(f'{name} = {getattr(here, name)}' for name in differing)}, and the "
            f"build has {', '.join(str(getattr(settings, name)) for name in differing)}. "
            "Install the same versions on all machines."
        )
    folder = language_data.find_wordnet()
    Synsets.load(folder)  # checks it
    return make_extractor(settings, options.terms, model, folder, candidate_folder)
