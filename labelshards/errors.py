"""Errors that a user can mend. The command line prints their text as it is; everything else is a bug."""


class CatlipError(Exception):
    """Something outside the program is wrong. The text says what, where, and how to mend it, in one or two lines."""


class LabelSetError(CatlipError):
    """A label set, or an image it points to, that a reader cannot vouch for."""
