"""Programs that end in every state a pipeline can be in. None may crash, hang or print anything."""

from __future__ import annotations

HEAD = """
import array, asyncio, os, sys, threading, time
import remotemedia as rm
BLOCK = array.array("f", [0.0] * 960)
INLINE = {"version": "v1",
    "nodes": [{"id": "n", "node_type": "Gain"},
              {"id": "m", "node_type": "AudioResample", "params": {"target_rate": 16000}}],
    "connections": [{"from": "n", "to": "m"}]}
THREADS = {**INLINE, "placement": "thread"}
def started(*work):
    for each in work:
        threading.Thread(target=each, daemon=True).start()
    time.sleep(0.05)
"""

EXITS = {
    "a pipeline that was never closed": """
p = rm.Pipeline(THREADS).open()
p.push(BLOCK, rate=48000)
""",
    "threads of the engine at work": """
p = rm.Pipeline(THREADS).open()
try:
    while True:
        p.push(BLOCK, rate=48000, timeout=0)
except rm.BackpressureError:
    pass
""",
    "threads that wait in a pull": """
p = rm.Pipeline(THREADS).open()
class Slow(rm.Node):
    async def process(self, data):
        await asyncio.sleep(60)
q = rm.Pipeline(Slow()).open()
def node():
    try:
        q.push("x")
    except BaseException:
        pass
def pull():
    try:
        while True:
            p.pull()
    except rm.StateError:
        pass
started(node, pull, pull)
""",
    "threads that push and pull": """
p = rm.Pipeline(THREADS).open()
def push():
    while True:
        try:
            p.push(BLOCK, rate=48000, timeout=0.01)
        except rm.BackpressureError:
            pass
        except rm.StateError:
            return
def pull():
    while True:
        try:
            p.pull(timeout=0.01)
        except rm.PullTimeout:
            pass
        except rm.StateError:
            return
started(push, pull, push, pull)
""",
    "a loop that ends while nodes are at work": """
class Plain(rm.Node):
    def process(self, data):
        return data
class Async(rm.Node):
    async def process(self, data):
        await asyncio.sleep(0)
        return data
async def main():
    p = rm.AsyncPipeline(THREADS)
    for _ in range(20):
        await p.push(BLOCK, rate=48000)
    await p.pull()
    q = rm.AsyncPipeline(Plain(), Async())
    await q.push("a")
    await q.push("b")
    assert (await q.pull()).text == "a"
    asyncio.create_task(q.pull())
asyncio.run(main())
""",
    "a loop that ends in the middle of a pull": """
async def main():
    global p
    p = await rm.AsyncPipeline(THREADS).open()
    await p.push(BLOCK, rate=48000)
    task = asyncio.create_task(p.pull())
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "a node that ends the program": """
def leave(data):
    sys.exit(3)
try:
    rm.Pipeline(leave).run("x")
except SystemExit:
    pass
""",
    "borrowed memory on its way": """
p = rm.Pipeline(THREADS).open()
samples = bytes(4 * 960)
for _ in range(30):
    p.push(samples, kind="audio", sample_format="f32", rate=48000, copy=False)
del samples
""",
    "os._exit": """
p = rm.Pipeline(THREADS).open()
p.push(BLOCK, rate=48000)
os._exit(0)
""",
    "a cycle of pipeline and node": """
class Holds(rm.Node):
    def process(self, data):
        return data
node = Holds()
node.pipeline = rm.Pipeline(node).open()
node.pipeline.push("x")
del node
""",
}

FORKS = {
    "a child of a process that has not used the engine": """
pid = os.fork()
if pid == 0:
    ok = rm.Pipeline(INLINE).run([1, 2][:0]).value is None
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert rm.Pipeline(INLINE).run([(BLOCK, 48000)][:0]).value is None
""",
    "a child of a process that has used it is told so, and its parent goes on": """
p = rm.Pipeline(THREADS).open()
p.push(BLOCK, rate=48000)
pid = os.fork()
if pid == 0:
    try:
        rm.Pipeline(INLINE).open()
    except rm.ForkError as error:
        told = "spawn" in (error.hint or "")
    else:
        told = False
    try:
        p.push(BLOCK, rate=48000)
        told = False
    except rm.ForkError:
        pass
    os._exit(0 if told else 1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
p.end()
assert sum(packet.frames for packet in p) == 320
""",
}

SIGNALS = {
    "Ctrl-C ends a pull that waits": """
import signal
# Where the tests run in the background, signals of the terminal are ignored, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
class Slow(rm.Node):
    async def process(self, data):
        await asyncio.sleep(60)
p = rm.AsyncPipeline(THREADS)
q = rm.Pipeline({**THREADS, "nodes": [{"id": "r", "node_type": "rest"}], "connections": []})
@rm.node
def rest(data):
    return data
main = threading.get_ident()
q.open()
threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
slow = rm.Pipeline(Slow()).open()
try:
    slow.push("x")
    slow.pull()
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("not interrupted")
""",
}
