"""One run of a pipeline, for code with and without an event loop."""

from __future__ import annotations

import warnings
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, cast

from ._running import in_a_loop

if TYPE_CHECKING:
    from types import TracebackType

    from .pipeline import Pipeline


class Run(Coroutine[Any, Any, Any]):
    """What `Pipeline.run` gives. Made where no event loop runs it is done already, and `value` is
    what came of it. Made in a loop it is begun by `await`, which gives the value. `asyncio.run`
    takes both."""

    def __init__(
        self, pipeline: Pipeline, input_data: Any, use_rust: bool, options: dict[str, Any]
    ) -> None:
        self._pipeline = pipeline
        self._work: Coroutine[Any, Any, Any] | None = None
        self._value: Any = None
        self._begun = False
        if in_a_loop():
            self._work = pipeline._run_async(input_data, options, use_rust)
        else:
            self._value = pipeline._run_now(input_data, options, use_rust)

    @property
    def value(self) -> Any:
        """What came of it."""
        if self._work is not None:
            raise RuntimeError("an event loop runs in this thread: `await pipeline.run(...)`")
        return self._value

    def __await__(self) -> Generator[Any, Any, Any]:
        if self._work is not None:
            self._begun = True
            self._value = yield from self._work.__await__()
            self._work = None
        return self._value

    # Of a coroutine, for `asyncio.run` and `asyncio.create_task`.

    def send(self, value: Any) -> Any:
        """Goes on; see `collections.abc.Coroutine`."""
        if self._work is None:
            raise StopIteration(self._value)
        self._begun = True
        try:
            return self._work.send(value)
        except StopIteration as stop:
            self._work, self._value = None, stop.value
            raise

    def throw(
        self,
        kind: Any,
        error: BaseException | object = None,
        trace: TracebackType | None = None,
        /,
    ) -> Any:
        """Raises in it; see `collections.abc.Coroutine`."""
        raised = cast("BaseException", kind if isinstance(kind, BaseException) else error or kind())
        if self._work is None:
            raise raised
        return self._work.throw(raised)

    def close(self) -> None:
        """Ends it."""
        if self._work is not None:
            self._begun = True
            self._work.close()
            self._work = None

    def __del__(self) -> None:
        if self._work is not None and not self._begun:
            self._work.close()
            message = f"{self!r} was never awaited, so nothing was run"
            warnings.warn(message, RuntimeWarning, stacklevel=2)

    def __repr__(self) -> str:
        state = f"value={self._value!r}" if self._work is None else "not awaited"
        return f"<Run of {self._pipeline.name!r}, {state}>"


class Managed:
    """The time in which the nodes of a pipeline live over several runs."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __enter__(self) -> Pipeline:
        self._pipeline.open()
        self._pipeline._held = True
        return self._pipeline

    def __exit__(self, *_: object) -> None:
        self._pipeline._held = False
        self._pipeline.close()

    async def __aenter__(self) -> Pipeline:
        await self._pipeline._open_async(again=True)
        self._pipeline._held = True
        return self._pipeline

    async def __aexit__(self, *_: object) -> None:
        self._pipeline._held = False
        await self._pipeline._close_async(None)
