"""The arms of the study: each a recipe and what it changes, alone or in groups that answer one question."""

from dataclasses import dataclass

MAIN_LABELS = "main"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train. recipe: in recipes/. settings: on top of it. labels: a label set of `label_sets.SPECS`.

    points: the eighths of the run after which it is probed.
    """

    name: str
    recipe: str
    settings: tuple[str, ...] = ()
    labels: str = MAIN_LABELS
    points: tuple[int, ...] = (8,)


_CURVE = (1, 2, 4, 6, 8)
_CATLIP, _CLIP, _FAST = "flickr8k_cpu", "flickr8k_clip_cpu", "flickr8k_fast_cpu"


def _catlip(name: str, *settings: str, labels: str = MAIN_LABELS) -> Arm:
    return Arm(name=f"catlip-{name}", recipe=_CATLIP, settings=settings, labels=labels)


def _clip(name: str, *settings: str, labels: str = MAIN_LABELS) -> Arm:
    return Arm(name=f"clip-{name}", recipe=_CLIP, settings=settings, labels=labels)


def _fast(name: str, *settings: str, labels: str = MAIN_LABELS) -> Arm:
    return Arm(name=f"catlip-fast-{name}", recipe=_FAST, settings=settings, labels=labels)


_SOFTMAX_IDF = ("loss.kind=softmax", "loss.class_weights=idf")
_NARROW = ("model.kwargs.embed_dim=96", "model.kwargs.num_heads=3")

GROUPS: dict[str, tuple[Arm, ...]] = {
    "main": (
        Arm(name="catlip", recipe=_CATLIP, points=_CURVE),
        Arm(name="clip", recipe=_CLIP, points=_CURVE),
        Arm(name="siglip", recipe=_CLIP, settings=("objective=siglip",), points=_CURVE),
        Arm(name="catlip-fast", recipe=_FAST, points=_CURVE),
    ),
    "rates": (
        _catlip("rate-5e-4", "optim.lr=5e-4"),
        _catlip("rate-2e-3", "optim.lr=2e-3"),
        _clip("rate-5e-4", "optim.lr=5e-4"),
        _clip("rate-2e-3", "optim.lr=2e-3"),
        _fast("rate-5e-4", "optim.lr=5e-4"),
    ),
    "data": (
        _catlip("10-percent", labels="part-10"),
        _catlip("30-percent", labels="part-30"),
        _clip("10-percent", labels="part-10"),
        _clip("30-percent", labels="part-30"),
    ),
    "width": (_catlip("width-96", *_NARROW), _clip("width-96", *_NARROW)),
    "threshold": (
        _catlip("threshold-3", labels="threshold-3"),
        _catlip("threshold-30", labels="threshold-30"),
        _catlip("threshold-100", labels="threshold-100"),
    ),
    "labeler": (_catlip("corenet", labels="corenet"), _catlip("pos-nouns", labels="pos-nouns")),
    "loss": (
        _catlip("softmax-idf", *_SOFTMAX_IDF),
        _catlip("asymmetric", "loss.kind=asymmetric"),
    ),
    "fast": (
        _fast("corenet", labels="corenet"),
        _fast("softmax-idf", "loss.fused=false", *_SOFTMAX_IDF),
        _fast("corenet-softmax-idf", "loss.fused=false", *_SOFTMAX_IDF, labels="corenet"),
        _fast("corenet-least-rate", "optim.min_lr=2e-4", labels="corenet"),
        _fast("families", labels="families"),
        _fast("64-px", "plan.phases=[{until=0.9, image_size=64, token_dropout=0.75}]"),
    ),
}
ARMS = {arm.name: arm for group in GROUPS.values() for arm in group}
# A probe of the arm `catlip` and no training: what heads begin with, on few pictures and on all.
TRANSFER = "transfer"


def chosen(words: str) -> list[Arm]:
    """The arms of groups and names with commas, each once. Raises SystemExit for a word that is neither."""
    found: dict[str, Arm] = {}
    for word in words.split(","):
        arms = GROUPS.get(word) or ((ARMS[word],) if word in ARMS else None)
        if arms is None:
            raise SystemExit(f"{word} is neither a group ({', '.join(GROUPS)}) nor an arm ({', '.join(ARMS)}).")
        found |= {arm.name: arm for arm in arms}
    return list(found.values())
