"""Terms that are no labels: they speak of the picture, or of places in it, not of what can be seen there.

Without this list `background`, `picture` and `image` lead the vocabulary of every caption corpus. Multiword terms that
contain one of these ("picture frame", "top hat") are labels like any other.
"""

GROUPS = {
    "the picture itself": """
        closeup illustration image photo photograph photography pic picture scene shot snapshot stock view
        wallpaper""",
    "a place in the picture": """
        background backdrop bottom center centre corner distance foreground front left middle right side top""",
}

TERMS = frozenset(term for terms in GROUPS.values() for term in terms.split())
