"""Takes the weights out of a spaCy pipeline, if it is built as this package computes it: as `en_core_web_sm` 3.x is."""

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from labelgen.parsing.fastparse.arithmetic import Maxout
from labelgen.parsing.fastparse.chunks import ChunkRule
from labelgen.parsing.fastparse.encoder import EncoderWeights
from labelgen.parsing.fastparse.transitions import NUM_FEATURES, Move, ParserWeights

_EMBEDDING = "extract_features>>list2ragged>>with_array({columns})>>with_array(maxout>>layernorm>>dropout)>>ragged2list"
_COLUMN = "ints-getitem>>hashembed"
_CONVOLUTION = "residual(expand_window>>maxout>>layernorm>>dropout)"
_PARSER = ["tok2vec-listener>>list2array>>linear", "precomputable_affine", "linear"]
_TAGGER = "tok2vec-listener>>with_array(softmax)"
# What English noun chunks are made of: `noun_chunks` in spacy/lang/en/syntax_iterators.py.
_CHUNK_LABELS = ("oprd", "nsubj", "dobj", "nsubjpass", "pcomp", "pobj", "dative", "appos", "attr", "ROOT")
_CONJUNCT = "conj"
_NOMINAL = ("NOUN", "PROPN", "PRON")
_LIFTED = "||"


class UnknownModelError(Exception):
    """A pipeline that is built in another way; what is different about it."""


class Model(NamedTuple):
    """A pipeline's weights. columns: the attributes that are embedded. tag_W float32 [width, tags], tag_b [tags].

    lifted bool [labels + 1]: labels whose arcs spaCy attaches anew after the parse. unsure: words (lower case) of which
    the attribute ruler may say more than tag and label tell.
    """

    columns: tuple[str, ...]
    encoder: EncoderWeights
    tag_W: np.ndarray
    tag_b: np.ndarray
    tags: tuple[str, ...]
    parser: ParserWeights
    labels: tuple[str, ...]
    lifted: np.ndarray
    rule: ChunkRule
    unsure: frozenset[str]


def recognise(nlp: Any) -> Model:  # noqa: ANN401  (spaCy is untyped)
    """The weights of a loaded pipeline. Raises UnknownModelError for one that is built differently."""
    _expect("language", nlp.lang, "en")
    _expect("components", nlp.pipe_names, ["tok2vec", "tagger", "parser", "attribute_ruler"])
    columns, encoder = _encoder(nlp.get_pipe("tok2vec").model)
    tagger, parser = nlp.get_pipe("tagger"), nlp.get_pipe("parser")
    _expect("tagger", tagger.model.name, _TAGGER)
    softmax = tagger.model.layers[1].layers[0]
    weights, labels = _parser(parser)
    rule, unsure = _chunk_rule(nlp, tagger.labels, labels)
    return Model(
        columns=columns,
        encoder=encoder,
        tag_W=_copy(softmax.get_param("W").T),
        tag_b=_copy(softmax.get_param("b")),
        tags=tuple(tagger.labels),
        parser=weights,
        labels=labels,
        lifted=np.array([_LIFTED in label for label in (*labels, "ROOT")]),
        rule=rule,
        unsure=unsure,
    )


def _encoder(tok2vec: Any) -> tuple[tuple[str, ...], EncoderWeights]:  # noqa: ANN401
    _expect("number of its layers", len(tok2vec.layers), 2)
    embedding, convolutions = tok2vec.layers
    columns = tuple(embedding.layers[0].attrs.get("columns", ()))
    _expect("embedding", embedding.name, _EMBEDDING.format(columns="|".join([_COLUMN] * len(columns))))
    if "SPACY" not in columns:
        raise UnknownModelError("its embedding has no column SPACY")
    residuals = convolutions.layers[0].layers
    _expect("convolutions", convolutions.layers[0].name, ">>".join([_CONVOLUTION] * 4))
    _expect("padding", convolutions.attrs["pad"], len(residuals))
    windows = [residual.layers[0].layers[0].attrs["window_size"] for residual in residuals]
    _expect("windows", windows, [1] * len(residuals))
    hashed = embedding.layers[2].layers[0]
    return columns, EncoderWeights(
        embed=lambda features: np.asarray(hashed.predict(features)),
        mix=_maxout(embedding.layers[3].layers[0].layers[0]),
        convolutions=tuple(_maxout(residual.layers[0].layers[1].layers[0]) for residual in residuals),
    )


def _maxout(layer: Any) -> Maxout:  # noqa: ANN401
    maxout, norm = layer.layers
    weights = maxout.get_param("W")  # [width, pieces, inputs]
    _expect("pieces", weights.shape[1], 3)
    _expect("remainder of its width by eight", weights.shape[0] % 8, 0)
    return Maxout(
        W=_copy(weights.transpose(2, 1, 0).reshape(weights.shape[2], -1)),
        b=_copy(maxout.get_param("b").T.reshape(-1)),
        gain=_copy(norm.get_param("G")),
        shift=_copy(norm.get_param("b")),
    )


def _parser(parser: Any) -> tuple[ParserWeights, tuple[str, ...]]:  # noqa: ANN401
    _expect("parser", [layer.name for layer in parser.model.layers], _PARSER)
    _expect("beam", parser.cfg["beam_width"], 1)
    _expect("unseen classes", set(parser.model.attrs["unseen_classes"]), set())
    narrow, affine, scores = parser.model.layers
    linear = narrow.layers[2]
    _expect("features of its parser", affine.get_dim("nF"), NUM_FEATURES)
    _expect("pieces of its parser", affine.get_dim("nP"), 2)
    _expect("remainder of its parser's width by four", affine.get_dim("nO") % 4, 0)
    names = [parser.moves.get_class_name(number).partition("-") for number in range(parser.moves.n_moves)]
    labels = tuple(dict.fromkeys(label for _, _, label in names))
    if "subtok" in labels:
        raise UnknownModelError("its parser joins tokens (subtok)")
    moves = ["SDLRB".index(move) for move, _, _ in names]
    assert list(map(int, Move)) == [0, 1, 2, 3, 4]
    weights = affine.get_param("W")  # [features, width, pieces, inputs]
    return ParserWeights(
        narrow=_copy(linear.get_param("W").T),
        narrow_bias=_copy(linear.get_param("b")),
        features=_copy(weights.transpose(0, 3, 2, 1).reshape(NUM_FEATURES, weights.shape[3], -1)),
        padding=_copy(affine.get_param("pad")[0].transpose(0, 2, 1).reshape(NUM_FEATURES, -1)),
        hidden_bias=_copy(affine.get_param("b").T.reshape(-1)),
        scores=_copy(scores.get_param("W").T),
        scores_bias=_copy(scores.get_param("b")),
        moves=np.array(moves, np.int64),
        labels=np.array([labels.index(label) for _, _, label in names], np.int64),
    ), labels


def _chunk_rule(nlp: Any, tags: Any, labels: tuple[str, ...]) -> tuple[ChunkRule, frozenset[str]]:  # noqa: ANN401
    """What the attribute ruler makes of each tag and label, found by asking it; and what it names by word."""
    from spacy.tokens import Doc

    ruler = nlp.get_pipe("attribute_ruler")
    of_chunks = [number for number, label in enumerate(labels) if label in (*_CHUNK_LABELS, _CONJUNCT)]
    asked = list(product(range(len(tags)), [*of_chunks, len(labels)]))
    with_root = (*labels, "ROOT")
    doc = Doc(
        nlp.vocab,
        words=["x"] * len(asked),
        tags=[tags[tag] for tag, _ in asked],
        deps=[with_root[label] for _, label in asked],
        heads=list(range(len(asked))),
    )
    nominal = np.zeros((len(tags), len(labels) + 1), np.bool_)
    for (tag, label), token in zip(asked, ruler(doc), strict=True):
        nominal[tag, label] = token.pos_ in _NOMINAL
    is_nominal = dict(zip(tags, map(bool, map(np.any, nominal)), strict=True))
    unsure = [word for pattern in ruler.patterns for word in _unsure_words(pattern, is_nominal)]
    is_chunk = np.array([label in _CHUNK_LABELS for label in with_root])
    is_conjunct = np.array([label == _CONJUNCT for label in with_root])
    return ChunkRule(nominal, is_chunk, is_conjunct), frozenset(unsure)


def _unsure_words(pattern: Any, is_nominal: dict[str, bool]) -> list[str]:  # noqa: ANN401
    """Words (lower case) to which a pattern of the attribute ruler may give another part of speech than to others.

    Raises UnknownModelError for a pattern that asks more of words than tag, label and text.
    """
    part = pattern["attrs"].get("POS")
    words: list[str] = []
    for tokens in pattern["patterns"] if part is not None else ():
        token = tokens[pattern["index"]]
        lower = token.get("LOWER")
        told_by_tag = len(tokens) == 1 and is_nominal.get(str(token.get("TAG"))) == (part in _NOMINAL)
        if token.keys() - {"TAG", "DEP", "LOWER", "IS_SPACE"} or not isinstance(lower, str | dict | None):
            raise UnknownModelError(f"its attribute ruler: {token}")
        if (isinstance(lower, dict) and lower.keys() != {"IN"}) or (lower is None and len(tokens) > 1):
            raise UnknownModelError(f"its attribute ruler: {tokens}")
        if lower is not None and not told_by_tag:
            words += [lower] if isinstance(lower, str) else lower["IN"]
    return words


def _copy(array: Any) -> np.ndarray:  # noqa: ANN401
    return np.array(array, np.float32, order="C")


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise UnknownModelError(f"its {what}: {found} instead of {expected}")
