"""Why a caption gets the labels that it gets: what was looked up, what each sense had for it, what was left out."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from labelgen import candidates, language_data
from labelgen.arrays.ragged import unique_rows
from labelgen.candidates import Mentions
from labelgen.distill import table
from labelgen.distill.weights import Weights
from labelgen.folder.state import plan_of
from labelgen.labelers import KINDS, Tools
from labelgen.meaning import stoplist
from labelgen.meaning.corpus import Corpus, word_of
from labelgen.meaning.policies import CONTEXT, FIRST, Chooser, Weighed
from labelgen.meaning.resolve import FAMILY_OF, Choice, Language, count_corpus
from labelgen.meaning.senses import Senses
from labelgen.meaning.unpruned import counted_samples
from labelgen.mentions.reader import Captions
from labelgen.mentions.terms import Dropped, Mention, Role, Term
from labelgen.mentions.termtable import TermTable
from labelgen.options import Options, choice_for, load_language
from labelgen.parsing.normalize import normalize
from labelgen.parsing.nouns import DISTILLED
from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.schema import NOUNS


class SenseTold(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate sense: its score in nats, and what that is made of."""

    synset: str
    gloss: str
    score: float
    reasons: dict[str, float]
    company: dict[str, float]


class TermTold(msgspec.Struct, frozen=True, kw_only=True):
    """A term of the caption. `label`: the synset that it gives, or None; `why` says why, or why not."""

    surface: str
    term: str
    role: str
    form: str
    label: str | None
    why: str
    senses: list[SenseTold]


class DroppedTold(msgspec.Struct, frozen=True, kw_only=True):
    """A word that gives no term, and why."""

    surface: str
    why: str


class ChunkTold(msgspec.Struct, frozen=True, kw_only=True):
    """A noun chunk, and what was looked up for its head, longest first, until something was found."""

    text: str
    tried: list[str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one labeler makes of a caption."""

    labeler: str
    policy: str
    caption: str
    labels: list[str]
    chunks: list[ChunkTold]
    terms: list[TermTold]
    dropped: list[DroppedTold]


def explain(caption: str, options: Sequence[Options], corpus_from: str | None = None) -> list[Told]:
    """What each of `options` (its labeler, policy, families …) makes of a raw caption.

    `corpus_from`: a label set with candidates, whose corpus then has its say in the senses. Raises CatlipError.
    """
    folder, model = language_data.find_wordnet(), language_data.spacy_model()
    told = []
    for each in options:
        language = load_language(each.labeler, each.terms, each.pins, folder)
        weights = _weights(corpus_from) if each.nouns == DISTILLED else None
        tools = Tools(language.lexicon, folder, model, each.nouns, weights)
        choice = choice_for(each)
        told.append(
            _tell(caption, each.labeler, choice, tools, language, corpus_from if choice.senses == CONTEXT else None)
        )
    return told


def _weights(label_set: str | None) -> Weights:
    if label_set is None:
        raise CatlipError(
            "The table of --nouns distilled lies in a label set. Name one that was built so with --labels."
        )
    return table.read(storage.join(label_set, table.NAME)).weights


def _corpus(terms: Sequence[Term], label_set: str | None) -> Corpus:
    """What its build counted for a label set, or nothing; and a caption with these terms as one sample more."""
    table = TermTable()
    told: Iterable[Mentions] = ()
    if label_set is not None:
        opened = LabelSet.open(label_set)
        plan_of(opened)  # raises CatlipError
        folder, names = candidates.folder_of(label_set), [entry.name for entry in opened.manifest.shards]
        for name in names:
            table.add(candidates.read_entries(folder, name))
        told = counted_samples(folder, names)
    corpus = count_corpus(table, told, terms)
    words = np.array([corpus.words[word] for term in terms if (word := word_of(term)) is not None], np.int64)
    corpus.add(*unique_rows(np.zeros(len(words), np.int64), words, 1))
    return corpus


def _tell(
    raw: str, labeler_name: str, choice: Choice, tools: Tools, language: Language, corpus_from: str | None
) -> Told:
    labeler = KINDS[labeler_name].make(tools)
    text = normalize(raw)[0]
    parses = labeler.parse(Captions([raw], [text])) if text else []
    found = [each for parsed in parses for phrase in labeler.phrases(parsed) for each in phrase]
    mentions = [each for each in found if isinstance(each, Mention)]
    terms = list(dict.fromkeys(mention.term for mention in mentions))
    senses = Senses(language.lexicon, language.synsets, language.pins)
    chooser = Chooser(choice.senses, senses, terms, _corpus(terms, corpus_from))
    told = [_tell_term(mention, terms.index(mention.term), chooser, choice, language) for mention in mentions]
    return Told(
        labeler=labeler_name,
        policy=choice.senses,
        caption=text,
        labels=sorted({term.label for term in told if term.label is not None}),
        chunks=[ChunkTold(text=text, tried=tried) for parsed in parses for text, tried in labeler.chunks(parsed)],
        terms=told,
        dropped=[DroppedTold(surface=each.surface, why=each.reason) for each in found if isinstance(each, Dropped)],
    )


def _tell_term(mention: Mention, number: int, chooser: Chooser, choice: Choice, language: Language) -> TermTold:
    term = mention.term
    weighed = chooser.weigh(number, range(len(chooser.terms)))
    family = FAMILY_OF[term.role]
    if choice.stoplist and (reason := stoplist.reason(term)):
        label, why = None, f"left out: it {reason} (--no-stoplist labels it)"
    elif term.role is Role.MODIFIER and not choice.modifiers:
        label, why = None, "left out: it stands before another noun (--modifiers labels it)"
    elif family != NOUNS and family not in choice.families:
        label, why = None, f"left out: --families {family} labels it"
    elif not weighed:
        label, why = None, "left out: as a name it stands for nothing that WordNet has"
    else:
        label, why = language.synsets[weighed[0].candidate.synset].name, _why(weighed, choice.senses)
    return TermTold(
        surface=mention.surface,
        term=term.text,
        role=term.role.value,
        form=term.form.value,
        label=label,
        why=why,
        senses=[_tell_sense(each, language) for each in weighed],
    )


def _why(weighed: list[Weighed], policy: str) -> str:
    """What sets the chosen sense apart from the next one."""
    if len(weighed) == 1:
        return "its only sense"
    if policy == FIRST:
        return "WordNet's first sense"
    best, second = weighed[:2]
    reasons = {part.name: part.nats for part in best.parts}
    for part in second.parts:
        reasons[part.name] = reasons.get(part.name, 0.0) - part.nats
    company = sum(nats for _, nats in best.company) - sum(nats for _, nats in second.company)
    words = ", ".join(word for word, nats in best.company if nats > 0)
    if words:
        reasons[f"its company ({words})"] = company
    decisive = max(reasons, key=lambda name: reasons[name])
    return f"{best.score - second.score:.1f} nats before the next: {decisive}"


def _tell_sense(weighed: Weighed, language: Language) -> SenseTold:
    synset = language.synsets[weighed.candidate.synset]
    return SenseTold(
        synset=synset.name,
        gloss=synset.gloss.partition('; "')[0],  # examples follow the definition
        score=round(weighed.score, 2),
        reasons={part.name: round(part.nats, 2) for part in weighed.parts},
        company={word: round(nats, 2) for word, nats in weighed.company},
    )
