"""Programs that end in every state in which a program can end. Each must do so without a crash, a
hang or a word on stderr; `stress.py` runs them again and again."""

from __future__ import annotations

_HEAD = """
import array, asyncio, atexit, gc, json, os, signal, sys, threading, time
import remotemedia
from remotemedia import AsyncPipeline, Node, Packet, Pipeline, _native, errors
PASS = {"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}
THREADED = {"version": "v1", "placement": "thread", "nodes": [
    {"id": "a", "node_type": "AudioResample", "params": {"target_rate": 16000}},
    {"id": "b", "node_type": "Gain", "params": {"gain_db": 1.0}}],
    "connections": [{"from": "a", "to": "b"}]}
SAMPLES = array.array("f", bytes(4 * 4800))
BORROWED = memoryview(bytes(4 * 4800)).cast("f")

def held():
    # A pipeline whose pull waits for a job that nobody ends.
    engine = _native.Engine()
    ports = {"inputs": [{"name": "in"}], "outputs": [{"name": "out"}]}
    engine.add_host_node({"name": "test/Hold", **ports})
    manifest = {"version": "v1", "nodes": [{"id": "a", "node_type": "test/Hold"}]}
    pipeline = Pipeline(manifest)
    pipeline._open(json.dumps(manifest), engine)
    pipeline.push("x")
    return pipeline, engine.next_job(5)

def daemon(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
"""

#: By name: the program, and the status with which it ends.
PROGRAMS: dict[str, tuple[str, int]] = {
    "imported": ("", 0),
    "idle": (
        "pipelines = [Pipeline(PASS).open(), Pipeline(THREADED).open(), AsyncPipeline(PASS)]",
        0,
    ),
    "used": (
        """
pipeline = Pipeline(PASS)
for _ in range(10):
    pipeline.push(SAMPLES, rate=48_000)
packets = [pipeline.pull(), pipeline.pull()]
views = [memoryview(p) for p in packets]
""",
        0,
    ),
    "busy_threads": (
        """
pipelines = [Pipeline(THREADED) for _ in range(3)]
for pipeline in pipelines:
    for _ in range(15):
        pipeline.push(SAMPLES, rate=48_000)
""",
        0,
    ),
    "in_a_cycle": (
        """
class Own(Node):
    def process(self, data):
        return data
node = Own()
node.pipeline = Pipeline(node)
node.pipeline.node = node
node.pipeline.push("x")
""",
        0,
    ),
    "mid_await": (
        """
async def main():
    pipeline = AsyncPipeline(THREADED)
    await pipeline.push(SAMPLES, rate=48_000)
    tasks = [asyncio.create_task(pipeline.pull()) for _ in range(4)]
    await asyncio.sleep(0)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for _ in range(5):
        await pipeline.push(SAMPLES, rate=48_000)
asyncio.run(main())
""",
        0,
    ),
    "ends_right_after_its_last_await": (
        """
async def main():
    async with AsyncPipeline(THREADED) as pipeline:
        for _ in range(8):
            await pipeline.push(SAMPLES, rate=48_000)
        await pipeline.pull()
asyncio.run(main())
""",
        0,
    ),
    "loop_without_an_end": (
        """
loop = asyncio.new_event_loop()
async def node(data):
    await asyncio.sleep(0.0005)
    return data
async def main():
    pipeline = Pipeline(node).aio()
    task = loop.create_task(pipeline.feed(str(n) for n in range(50)))
    for _ in range(5):
        await pipeline.pull()
    task.cancel()
    await asyncio.sleep(0)
    return pipeline
pipeline = loop.run_until_complete(main())
""",
        0,
    ),
    "exit_in_a_coroutine": (
        """
async def main():
    async with AsyncPipeline(THREADED) as pipeline:
        await pipeline.push(SAMPLES, rate=48_000)
        sys.exit(3)
asyncio.run(main())
""",
        3,
    ),
    "daemon_blocked_in_pull": (
        """
pipeline, job = held()
ready = threading.Event()
def work():
    ready.set()
    while True:
        pipeline.pull()
for _ in range(4):
    daemon(work)
ready.wait()
""",
        0,
    ),
    "daemon_waiting_with_a_timeout": (
        """
pipeline, job = held()
ready = threading.Event()
def work():
    ready.set()
    while True:
        try:
            pipeline.pull(timeout=0.001)
        except errors.PullTimeout:
            pass
for _ in range(4):
    daemon(work)
ready.wait()
time.sleep(0.01)
""",
        0,
    ),
    "daemons_pushing_and_pulling": (
        """
ready = threading.Semaphore(0)
def work(manifest):
    pipeline = Pipeline(manifest)
    n = 0
    while True:
        try:
            pipeline.push(SAMPLES, rate=48_000, timeout=0)
        except errors.BackpressureError:
            pass
        pipeline.pull(timeout=0)
        n += 1
        if n == 3:
            ready.release()
for manifest in (PASS, THREADED, PASS, THREADED):
    daemon(lambda manifest=manifest: work(manifest))
for _ in range(4):
    ready.acquire()
""",
        0,
    ),
    "daemons_making_pipelines_and_errors": (
        """
ready = threading.Semaphore(0)
def work():
    n = 0
    while True:
        pipeline = Pipeline(PASS)
        pipeline.push({"n": n})
        pipeline.pull().value
        pipeline.metrics()
        pipeline.events()
        try:
            pipeline.pull("nowhere")
        except errors.NotFoundError:
            pass
        pipeline.close()
        n += 1
        if n == 2:
            ready.release()
for _ in range(4):
    daemon(work)
for _ in range(4):
    ready.acquire()
""",
        0,
    ),
    "daemons_in_a_python_node": (
        """
ready = threading.Semaphore(0)
def node(data):
    for _ in range(2_000):
        pass
    return data
def work():
    pipeline = Pipeline(node)
    n = 0
    while True:
        pipeline.push("x")
        pipeline.pull()
        n += 1
        if n == 2:
            ready.release()
for _ in range(4):
    daemon(work)
for _ in range(4):
    ready.acquire()
""",
        0,
    ),
    "daemon_in_a_python_node_without_an_end": (
        """
ready = threading.Semaphore(0)
def node(data):
    ready.release()
    while True:
        pass
for _ in range(2):
    daemon(lambda: Pipeline(node).push("x"))
for _ in range(2):
    ready.acquire()
""",
        0,
    ),
    "daemon_with_a_loop": (
        """
ready = threading.Event()
def work():
    async def node(data):
        await asyncio.sleep(0)
        return data
    async def main():
        pipeline = Pipeline(node).aio()
        while True:
            await pipeline.push("x")
            await pipeline.pull()
            ready.set()
    asyncio.run(main())
daemon(work)
ready.wait()
""",
        0,
    ),
    "a_thread_goes_on_after_the_main_one": (
        """
def work():
    time.sleep(0.02)
    with Pipeline(THREADED) as pipeline:
        for _ in range(20):
            pipeline.push(SAMPLES, rate=48_000, timeout=30)
            pipeline.pull(timeout=30)
    os.write(1, b"done")
threading.Thread(target=work).start()
""",
        0,
    ),
    "borrowed_in_flight": (
        """
pipelines = [Pipeline(PASS), Pipeline(THREADED)]
for pipeline in pipelines:
    for _ in range(10):
        pipeline.push(BORROWED, rate=48_000, copy=False)
packet = pipelines[0].pull()
""",
        0,
    ),
    "jobs_open_in_an_async_pipeline": (
        """
def slow(data):
    time.sleep(0.02)
    return data
async def main():
    pipeline = Pipeline(slow).aio()
    for _ in range(5):
        await pipeline.push("x")
    await asyncio.sleep(0.005)
asyncio.run(main())
""",
        0,
    ),
    "coroutines_open_in_an_async_pipeline": (
        """
class Four(Node):
    max_in_flight = 4
    async def process(self, data):
        await asyncio.sleep(60)
        return data
async def main():
    pipeline = Pipeline(Four()).aio()
    for _ in range(8):
        await pipeline.push("x")
    await asyncio.sleep(0.005)
asyncio.run(main())
""",
        0,
    ),
    "exit_in_a_node": (
        """
def node(data):
    sys.exit(4)
Pipeline(node).run("x")
""",
        4,
    ),
    "exit_in_a_coroutine_node": (
        """
async def node(data):
    await asyncio.sleep(0)
    sys.exit(5)
with Pipeline(node) as pipeline:
    pipeline.push("x")
""",
        5,
    ),
    "exit_in_a_node_of_an_async_pipeline": (
        """
async def node(data):
    sys.exit(6)
async def main():
    async with Pipeline(node).aio() as pipeline:
        await pipeline.push("x")
        await pipeline.pull()
asyncio.run(main())
""",
        6,
    ),
    "closed_in_atexit": (
        """
def node(data):
    return data
pipelines = [Pipeline(PASS), Pipeline(THREADED), Pipeline(node)]
def late():
    for pipeline in pipelines:
        pipeline.push(SAMPLES, rate=48_000)
        pipeline.close()
    os.write(1, b"closed")
atexit.register(late)
pipelines[0].open()
""",
        0,
    ),
    "used_in_del": (
        """
class Owner:
    def __init__(self):
        self.pipeline = Pipeline(PASS)
        self.pipeline.push("x")
    def __del__(self):
        try:
            self.pipeline.pull()
            self.pipeline.close()
        except Exception:
            pass
owner = Owner()
owner.self = owner
""",
        0,
    ),
    "os_exit": (
        """
pipelines = [Pipeline(THREADED) for _ in range(3)]
for pipeline in pipelines:
    for _ in range(10):
        pipeline.push(BORROWED, rate=48_000, copy=False)
os._exit(7)
""",
        7,
    ),
    "killed_by_a_signal_that_is_handled": (
        """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(8))
pipeline, job = held()
threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
pipeline.pull()
""",
        8,
    ),
}


def program(name: str) -> tuple[str, int]:
    """A whole program, and its status."""
    code, status = PROGRAMS[name]
    return _HEAD + code, status
