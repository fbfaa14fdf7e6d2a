from labelshards.errors import CatlipError


def test_str__says_what_was_said() -> None:
    assert str(CatlipError("a.tsv: no column 'é'.\nUse --caption-key.")) == "a.tsv: no column 'é'.\nUse --caption-key."
    assert str(CatlipError()) == ""


def test_str__of_what_a_file_says_has_an_end() -> None:
    text = str(CatlipError(f"a.tsv has {'x' * 70_000}. Name one with --caption-key."))
    assert len(text) == 3_003
    assert text.startswith("a.tsv has xxx")
    assert text.endswith("x. Name one with --caption-key.")


def test_str__moves_no_cursor_and_can_be_printed() -> None:
    text = str(CatlipError("\x1b[2Ja\tb\r\ud800\u202e.tar"))
    assert text == r"\x1b[2Ja\tb\r\ud800\u202e.tar"
    assert text.isascii()


def test_str__has_an_end_when_it_is_spelled_out_too() -> None:
    text = str(CatlipError(f"--set {chr(0) * 2_000}: write it as key=value."))
    assert len(text) == 3_003
    assert text.startswith(r"--set \x00\x00")
    assert text.endswith(r"\x00: write it as key=value.")
