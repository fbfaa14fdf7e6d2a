"""Nouns that are no labels, and why. `--no-stoplist` labels them all the same.

Without this list `background`, `picture` and `image` lead the vocabulary of every caption corpus. Multiword terms that
contain one of these ("picture frame", "top hat") are labels like any other. Determiners, pronouns and numbers never
get here: they are no part of any term (terms.py).
"""

from labelgen.mentions.terms import Form, Role, Term

GROUPS = {
    "speaks of the picture itself": """
        close closeup illustration image photo photograph photography pic picture scene shot snapshot stock view
        wallpaper""",
    "is a place in the picture": """
        background backdrop bottom center centre corner distance foreground front left middle right side top""",
    "is a word for anything": """
        example kind sort stuff thing type variety way""",
}
_COUNTS = "counts or places what follows “of”"

TERMS = {term: reason for reason, terms in GROUPS.items() for term in terms.split()}


def reason(term: Term) -> str | None:
    """Why a term is no label, or None if it may be one."""
    if term.form is Form.PARTITIVE:
        return _COUNTS
    return TERMS.get(term.text) if term.role in (Role.HEAD, Role.MODIFIER) else None
