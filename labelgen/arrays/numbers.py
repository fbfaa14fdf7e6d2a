"""Things that are numbered as they come."""

from typing import Generic, TypeVar

Key = TypeVar("Key")


class Numbers(dict[Key, int], Generic[Key]):
    """Thing → number, growing: one that is new is given the next. known: the things by their numbers."""

    def __init__(self) -> None:
        self.known: list[Key] = []

    def __missing__(self, key: Key) -> int:
        number = self[key] = len(self.known)
        self.known.append(key)
        return number
