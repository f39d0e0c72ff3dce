"""Texts from elsewhere, such as names of runs, for a terminal and for pictures."""


def printable(text: str) -> str:
    """A text whose control characters are escaped, other than the ends of its lines."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
