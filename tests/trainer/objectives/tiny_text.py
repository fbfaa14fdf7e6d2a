"""A text tower of a few thousand weights beside open_clip's table of words, and a run in which it learns colours."""

TEXT = [
    f"text.{key}={value}"
    for key, value in (("width", 8), ("heads", 2), ("layers", 1), ("context_length", 8), ("embed_dim", 8))
]
LEARNING = [
    *TEXT,
    "plan.steps=60",
    "plan.batch_size=12",
    "loop.log_every=30",
    "loop.checkpoint_every=60",
    "optim.ema_decay=0.9",
    "eval.every=30",
    "eval.pictures=2",
]
