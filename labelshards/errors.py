"""Errors that a user can mend. The command line prints their text as it is; everything else is a bug."""

_MOST_CHARACTERS = 3_000


class CatlipError(Exception):
    """Something outside the program is wrong. The text says what, where, and how to mend it, in one or two lines.

    What it cites of a file may be long, and may hold what moves a terminal's cursor: it is shortened, and spelled out.
    """

    def __str__(self) -> str:
        text = _shortened(super().__str__())
        if text.isprintable():
            return text
        return _shortened("".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text))


def _shortened(text: str) -> str:
    half = _MOST_CHARACTERS // 2
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:half]} … {text[-half:]}"


class LabelSetError(CatlipError):
    """A label set, or an image it points to, that a reader cannot vouch for."""


def first_line(error: BaseException) -> str:
    """What another library's exception says, without further lines and full stop; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
