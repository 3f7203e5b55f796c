"""Nodes for text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._manifest import NativeNode

__all__ = ["TextProcessorNode"]


class TextProcessorNode(NativeNode):
    """Changes the case of text, counts and picks words.

    Takes `{"text": …, "operations": [...]}`, or text, to which `operations` of the node are
    applied: uppercase, lowercase, reverse, word_count, char_count, title_case, remove_spaces,
    first_word, last_word. Gives a dict: original_text, operations, results (one for each
    operation), …
    """

    def __init__(
        self, operations: Sequence[str] = (), *, name: str | None = None, **params: Any
    ) -> None:
        super().__init__("TextProcessorNode", {"operations": list(operations)}, name=name, **params)
