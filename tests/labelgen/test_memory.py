from labelgen.memory import Memory


def test_memory__asks_once_and_forgets_when_full() -> None:
    asked: list[str] = []

    def find(key: str) -> int:
        asked.append(key)
        return len(key)

    memory = Memory(find, max_size=2)
    assert [memory[key] for key in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]
    assert (memory["ccc"], dict(memory)) == (3, {"ccc": 3})
