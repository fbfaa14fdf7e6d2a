"""A text tower of a few thousand weights beside open_clip's table of words."""

TEXT = [
    f"text.{key}={value}"
    for key, value in (("width", 8), ("heads", 2), ("layers", 1), ("context_length", 8), ("embed_dim", 8))
]
