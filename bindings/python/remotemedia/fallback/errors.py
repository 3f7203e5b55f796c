"""The one error of the fallback."""

from __future__ import annotations

USE_NATIVE = "run the manifest with the native engine (leave runtime_hint out)"
UNFIT = "fix the manifest; the native engine refuses this, too"


class FallbackError(Exception):
    """Something that the fallback can't do, or that is wrong in a manifest or an item.

    `node` is the id of the node that it is about ("" where it is about none); `hint` says what to
    do about it.
    """

    def __init__(self, message: str, node: str = "", hint: str = "") -> None:
        super().__init__(message, node, hint)
        self.message = message
        self.node = node
        self.hint = hint

    def __str__(self) -> str:
        where = f"node '{self.node}': " if self.node else ""
        return f"{where}{self.message}" + (f" (hint: {self.hint})" if self.hint else "")

    def at(self, node: str) -> FallbackError:
        """The same error, with the node that it is about; an error that names one stays."""
        return self if self.node else FallbackError(self.message, node=node, hint=self.hint)


def unsupported(what: str, node: str = "") -> FallbackError:
    """The error for what the native engine does and the fallback does not."""
    return FallbackError(
        f"{what} is not supported by the Python fallback", node=node, hint=USE_NATIVE
    )


def unfit(message: str, hint: str = UNFIT, node: str = "") -> FallbackError:
    """The error for what no engine takes."""
    return FallbackError(message, node=node, hint=hint)
