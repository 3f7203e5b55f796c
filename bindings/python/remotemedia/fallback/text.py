"""TextProcessorNode: case, counts and words of text.

Equal to the engine, by the Unicode tables of this Python. One thing Python's tables don't tell:
whether a combining mark of most scripts is a letter, which only matters to title_case where a
letter with a case follows it; that is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from .errors import FallbackError, unfit, unsupported
from .node import Emissions, Node
from .params import Choice, Misfit
from .values import Item, Json, Value, kind

if TYPE_CHECKING:
    from .params import Values

_NAMES = (
    "uppercase",
    "lowercase",
    "reverse",
    "word_count",
    "char_count",
    "title_case",
    "remove_spaces",
    "first_word",
    "last_word",
)
OPERATIONS = Choice(dict.fromkeys(_NAMES, ()))
#: Unicode's White_Space. (Python's `split` parts at U+001C … U+001F, too.)
_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
#: Letters in circles and squares, which count as letters to Unicode but are symbols to Python.
_ENCLOSED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))


class TextProcessor(Node):
    """Takes text, an object {text, operations} or a list of them, and gives an object with one
    result for each operation (or a list of them)."""

    def __init__(self, params: Values) -> None:
        self._operations = params.names("operations")

    def process(self, item: Item) -> Emissions:
        if not isinstance(item, Value) or item.kind == "bytes":
            raise unfit(f"the node takes text, not {kind(item)}", "push text or an object")
        value = cast("Json", item.payload)
        if item.kind == "text":
            answer = self._answer(cast("str", value), self._operations)
        elif isinstance(value, list):
            answer = [self._request(one) for one in value]
        else:
            answer = self._request(value)
        return [(0, replace(item, kind="json", payload=answer))]

    def _request(self, value: Json) -> Json:
        text = value.get("text") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(text, str):
            raise unfit(
                "the object has no string named 'text'",
                'give {"text": …, "operations": […]}, or text',
            )
        if "operations" not in value:
            return self._answer(text, self._operations)
        names = value["operations"]
        if not isinstance(names, list):
            raise unfit("'operations' is no array of names", f"{OPERATIONS}")
        operations: list[str] = []
        for name in names:
            try:
                operations.append(cast("str", OPERATIONS.read(name)))
            except Misfit as misfit:
                raise unfit(f"there is no operation {name!r}", f"{misfit}") from None
        return self._answer(text, operations)

    def _answer(self, text: str, operations: list[str]) -> Json:
        results: dict[str, Json] = {name: apply(name, text) for name in operations}
        return {
            "original_text": text,
            "operations": list[Json](operations),
            "results": results,
            "processed_by": "TextProcessorNode",
            "node_config": {"operations": list[Json](self._operations)},
        }


def apply(operation: str, text: str) -> Json:
    """What one operation makes of a text."""
    if operation == "uppercase":
        return text.upper()
    if operation == "lowercase":
        return text.lower()
    if operation == "reverse":
        return text[::-1]
    if operation == "char_count":
        return len(text)
    if operation == "title_case":
        return title_case(text)
    if operation == "remove_spaces":
        return text.replace(" ", "")
    words = [word for word in _SPACE.split(text) if word]
    if operation == "word_count":
        return len(words)
    if operation == "first_word":
        return words[0] if words else ""
    if operation == "last_word":
        return words[-1] if words else ""
    raise FallbackError(f"there is no operation '{operation}'", hint=str(OPERATIONS))


def title_case(text: str) -> str:
    """The first letter of every run of letters as a capital, the others as small letters."""
    out: list[str] = []
    in_word: bool | None = False
    for c in text:
        cased = c.lower() != c.upper()
        if in_word is None and cased:
            mark = unicodedata.name(out[-1][-1], "a combining mark")
            raise unsupported(f"title_case of a letter behind '{mark}'")
        out.append(c.lower() if in_word else c.upper())
        in_word = _is_letter(c)
    return "".join(out)


def _is_letter(c: str) -> bool | None:
    """Unicode's Alphabetic; None where Python can't tell."""
    category = unicodedata.category(c)
    if c.isalpha() or category == "Nl" or c == "\u0345":
        return True
    if category in ("Mn", "Mc"):
        # The accents of Latin, Greek and Cyrillic are none.
        return False if "\u0300" <= c <= "\u0362" else None
    return any(low <= ord(c) <= high for low, high in _ENCLOSED)
