"""Each side of peers.py: a server that gives back what comes, and a client that calls it.

An array of float32 goes there, an equal one comes back; that is what all clients hand in and get
out, whatever it takes them. Peers are imported only where they are measured.

    python sides.py serve SIDE PLACE          until it is killed
    python sides.py call SIDE PLACE SCALE     prints a line of JSON

A place is HOST:PORT or unix:/path.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Call = Callable[[Array], Array]
AsyncCall = Callable[[Array], Awaitable[Array]]

#: What is sent, and how often at SCALE 1.
LOADS: dict[str, tuple[int, int]] = {"20 ms": (960, 3000), "1 MiB": (1 << 18, 100)}
RATE = 48_000
MOST_BYTES = 64 << 20


class Trips:
    """What is to be sent, one after the other; `back` takes each answer, and the time."""

    def __init__(self, values: int, count: int) -> None:
        self._noise = np.random.default_rng(1).standard_normal(values, dtype=np.float32)
        self._count = count
        self._begun = 0
        self._sent = self._noise
        self._us: list[float] = []

    def __iter__(self) -> Iterator[Array]:
        warm = max(3, self._count // 10)
        for number in range(warm + self._count):
            if number == warm:
                self._us.clear()
            self._sent = self._noise.copy()
            self._sent[0] = number
            self._begun = time.perf_counter_ns()
            yield self._sent

    def back(self, values: Array) -> None:
        """Ends the program where an answer is wrong."""
        self._us.append((time.perf_counter_ns() - self._begun) / 1e3)
        if values.dtype != np.float32 or not np.array_equal(values, self._sent):
            raise SystemExit("what came back is not what was sent")

    def figures(self) -> dict[str, float]:
        """Microseconds."""
        p50, p99 = np.percentile(self._us, [50, 99])
        return {"p50": float(p50), "p99": float(p99)}


Results = dict[str, dict[str, float]]


def all_trips(call: Call, scale: float) -> Results:
    """Measures all loads."""
    found: Results = {}
    for load, (values, count) in LOADS.items():
        trips = Trips(values, max(10, int(count * scale)))
        for sent in trips:
            trips.back(call(sent))
        found[load] = trips.figures()
    return found


async def all_trips_async(call: AsyncCall, scale: float) -> Results:
    """The same on an event loop."""
    found: Results = {}
    for load, (values, count) in LOADS.items():
        trips = Trips(values, max(10, int(count * scale)))
        for sent in trips:
            trips.back(await call(sent))
        found[load] = trips.figures()
    return found


def unpacked(data: bytes) -> Array:
    """The array that was sent as bytes."""
    return np.frombuffer(data, dtype=np.float32)


# -- ours --


def manifest(place: str) -> dict[str, Any]:
    """A node on the server."""
    remote = {"endpoint": place}
    node = {"id": "echo", "node_type": "PassThrough", "placement": "remote", "remote": remote}
    return {"version": "v1", "nodes": [node]}


def options(values: Array) -> dict[str, int]:
    """20 ms are audio, what is larger is a tensor."""
    return {"rate": RATE} if len(values) == LOADS["20 ms"][0] else {}


def call_ours(place: str, scale: float) -> Results:
    """A pipeline, in one thread."""
    import remotemedia as rm

    with rm.Pipeline(manifest(place)) as pipeline:

        def call(values: Array) -> Array:
            pipeline.push(values, **options(values))
            return np.asarray(pipeline.pull())

        return all_trips(call, scale)


def call_ours_asyncio(place: str, scale: float) -> Results:
    """A pipeline, in one task."""
    import remotemedia as rm

    async def run() -> Results:
        async with rm.AsyncPipeline(manifest(place)) as pipeline:

            async def call(values: Array) -> Array:
                await pipeline.push(values, **options(values))
                return np.asarray(await pipeline.pull())

            return await all_trips_async(call, scale)

    return asyncio.run(run())


# -- grpc.aio: bytes as they are, without Protocol Buffers --

GRPC_OPTIONS = [
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
]


def serve_grpc(place: str) -> None:
    """A service with a call and a stream."""
    import grpc
    import grpc.aio

    async def once(request: bytes, _context: Any) -> bytes:
        return request

    async def stream(requests: Any, context: Any) -> None:
        async for request in requests:
            await context.write(request)

    async def run() -> None:
        server = grpc.aio.server(options=GRPC_OPTIONS)
        methods = {
            "once": grpc.unary_unary_rpc_method_handler(once),
            "stream": grpc.stream_stream_rpc_method_handler(stream),
        }
        handler = grpc.method_handlers_generic_handler("echo", methods)
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port(place)
        await server.start()
        await server.wait_for_termination()

    asyncio.run(run())


def call_grpc(place: str, scale: float) -> Results:
    """A call for each."""
    import grpc.aio

    async def run() -> Results:
        async with grpc.aio.insecure_channel(place, options=GRPC_OPTIONS) as channel:
            once = channel.unary_unary("/echo/once")

            async def call(values: Array) -> Array:
                return unpacked(await once(values.tobytes()))

            return await all_trips_async(call, scale)

    return asyncio.run(run())


def call_grpc_stream(place: str, scale: float) -> Results:
    """An open stream."""
    import grpc.aio

    async def run() -> Results:
        async with grpc.aio.insecure_channel(place, options=GRPC_OPTIONS) as channel:
            stream: Any = channel.stream_stream("/echo/stream")()

            async def call(values: Array) -> Array:
                await stream.write(values.tobytes())
                return unpacked(await stream.read())

            found = await all_trips_async(call, scale)
            await stream.done_writing()
            return found

    return asyncio.run(run())


# -- RPyC: bytes, because it hands on arrays as references --


def rpyc_plain() -> None:
    """Switches off compression, which samples do not pay for."""
    from rpyc.core import channel

    kind: Any = channel.Channel
    kind.COMPRESSION_THRESHOLD = 1 << 40


def serve_rpyc(place: str) -> None:
    """A service on a thread for each connection."""
    import rpyc
    from rpyc.utils.server import ThreadedServer

    class Echo(rpyc.Service):
        def exposed_echo(self, data: bytes) -> bytes:
            return data

    host, _, port = place.rpartition(":")
    where: dict[str, Any] = {"hostname": host, "port": int(port)} if host != "unix" else {}
    ThreadedServer(Echo, **(where or {"socket_path": port})).start()


def serve_rpyc_plain(place: str) -> None:
    """The same without compression."""
    rpyc_plain()
    serve_rpyc(place)


def call_rpyc(place: str, scale: float) -> Results:
    """A call for each."""
    import rpyc
    from rpyc.core.stream import SocketStream

    host, _, port = place.rpartition(":")
    if host == "unix":
        stream = SocketStream.unix_connect(port)
    else:
        stream = SocketStream.connect(host, int(port), nodelay=True)
    connection = rpyc.connect_stream(stream)
    echo = connection.root.echo
    found = all_trips(lambda values: unpacked(echo(values.tobytes())), scale)
    connection.close()
    return found


def call_rpyc_plain(place: str, scale: float) -> Results:
    """The same without compression."""
    rpyc_plain()
    return call_rpyc(place, scale)


# -- Pyro5: bytes by msgpack, the fastest of its serializers --


def pyro_settings() -> None:
    """What both ends say."""
    import Pyro5

    config: Any = Pyro5.config
    config.SERIALIZER = "msgpack"
    config.SOCK_NODELAY = True


def serve_pyro(place: str) -> None:
    """An exposed object."""
    import Pyro5.api

    pyro_settings()

    @Pyro5.api.expose
    class Echo:
        def echo(self, data: bytes) -> bytes:
            return data

    host, _, port = place.rpartition(":")
    where: dict[str, Any] = {"host": host, "port": int(port)} if host != "unix" else {}
    daemon = Pyro5.api.Daemon(**(where or {"unixsocket": port}))
    daemon.register(Echo(), "echo")
    daemon.requestLoop()


def call_pyro(place: str, scale: float) -> Results:
    """A call for each."""
    import Pyro5.api

    pyro_settings()
    host, _, port = place.rpartition(":")
    where = f"./u:{port}" if host == "unix" else place
    with Pyro5.api.Proxy(f"PYRO:echo@{where}") as proxy:
        echo: Any = proxy.echo
        return all_trips(lambda values: unpacked(echo(values.tobytes())), scale)


# -- Ray: has its own processes and its own ways between them --


def call_ray(_place: str, scale: float) -> Results:
    """An actor's method; arrays as they are."""
    import logging

    import ray

    ray.init(
        num_cpus=1,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        object_store_memory=200 << 20,
    )

    class Echo:
        def echo(self, values: Array) -> Array:
            return values

    actor: Any = ray.remote(Echo).remote()
    found = all_trips(lambda values: ray.get(actor.echo.remote(values)), scale)
    ray.shutdown()
    return found


@dataclass
class Side:
    """How to measure it."""

    call: Callable[[str, float], Results]
    #: Absent: `rmedia serve`.
    serve: Callable[[str], None] | None
    #: TCP, unix, or its own.
    ways: tuple[str, ...] = ("TCP", "unix")


SIDES: dict[str, Side] = {
    "ours": Side(call_ours, None),
    "ours, asyncio": Side(call_ours_asyncio, None),
    "grpc.aio, stream": Side(call_grpc_stream, serve_grpc),
    "grpc.aio, call": Side(call_grpc, serve_grpc),
    "RPyC": Side(call_rpyc, serve_rpyc),
    "RPyC, no compression": Side(call_rpyc_plain, serve_rpyc_plain),
    "Pyro5": Side(call_pyro, serve_pyro),
    "Ray actor": Side(call_ray, None, ("its own",)),
}


def main() -> None:
    """The program."""
    what, name, place, *scale = sys.argv[1:]
    side = SIDES[name]
    if what == "serve" and side.serve is not None:
        side.serve(place)
    elif what == "call":
        print(json.dumps(side.call(place, float(scale[0]))))


if __name__ == "__main__":
    main()
