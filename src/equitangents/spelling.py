"""Names that someone may have meant."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name nearest to a word, in letters of either case, or one of which it is a part; None without one.

    >>> nearest("CHREN", ["chern", "wilson-loops"]), nearest("loops", ["chern", "wilson-loops"])
    ('chern', 'wilson-loops')
    """
    names, word = {name.lower(): name for name in known}, word.lower()
    close = difflib.get_close_matches(word, names, n=1)
    if not close and len(word) > 2:
        close = [name for name in names if word in name]
    return names[close[0]] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name.

    >>> suggestion("quik", ("quick", "full"))
    "did you mean 'quick'?"
    """
    near = nearest(word, known)
    return "check the spelling." if near is None else f"did you mean {near!r}?"
