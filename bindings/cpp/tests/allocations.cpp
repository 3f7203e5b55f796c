// Push of samples, pull and view allocate nothing once the pipeline is warm: neither here nor in
// the library. Counted on this thread, by an own malloc and an own operator new.

#include "test.hpp"

#include <array>
#include <cstdlib>
#include <new>

using namespace rmedia;

namespace {

thread_local int allocations = 0;

const std::array<float, 960> silence{};

} // namespace

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wreserved-identifier" // glibc's own names.
#endif

extern "C" void *__libc_malloc(std::size_t size);
extern "C" void *__libc_calloc(std::size_t count, std::size_t size);
extern "C" void *__libc_realloc(void *memory, std::size_t size);
extern "C" void *__libc_memalign(std::size_t align, std::size_t size);

extern "C" void *malloc(std::size_t size) noexcept {
    ++allocations;
    return __libc_malloc(size);
}
extern "C" void *calloc(std::size_t count, std::size_t size) noexcept {
    ++allocations;
    return __libc_calloc(count, size);
}
extern "C" void *realloc(void *memory, std::size_t size) noexcept {
    ++allocations;
    return __libc_realloc(memory, size);
}
extern "C" int posix_memalign(void **memory, std::size_t align, std::size_t size) noexcept {
    ++allocations;
    *memory = __libc_memalign(align, size);
    return *memory == nullptr ? 12 : 0;
}
extern "C" void *aligned_alloc(std::size_t align, std::size_t size) noexcept {
    ++allocations;
    return __libc_memalign(align, size);
}

[[gnu::noinline]] void *operator new(std::size_t size) {
    ++allocations;
    void *const memory = __libc_malloc(size);
    if (memory == nullptr) std::abort();
    return memory;
}
[[gnu::noinline]] void operator delete(void *memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// Allocations of a thousand calls, after a hundred that warm up.
template <class F> int counted(F call) {
    for (int n = 0; n < 100; ++n) call();
    const int before = allocations;
    for (int n = 0; n < 1000; ++n) call();
    return allocations - before;
}

const char *const chain = R"({"version": "v1", "nodes": [
    {"id": "gain", "node_type": "Gain", "params": {"gain_db": -6.0}},
    {"id": "resample", "node_type": "AudioResample",
     "params": {"target_rate": 16000, "latency": "low"}}],
    "connections": [{"from": "gain", "to": "resample"}]})";

struct forwards : node<forwards> {
    static constexpr const char *declaration = AUDIO_NODE("alloc/Forwards");
    void process(job &with, packet_view) { with.forward(); }
};

} // namespace

int main() {
    testing::tests tests;

    tests.run("the counters count", [] {
        const int before = allocations;
        std::free(std::malloc(100));
        delete new int;
        pipeline::from_text(testing::one("PassThrough"));
        CHECK(allocations - before > 10);
    });

    tests.run("push, pull and view allocate nothing", [] {
        pipeline p = pipeline::from_text(testing::one("PassThrough"));
        float sum = 0;
        CHECK(counted([&] {
                  if (p.push(silence, 48000) != status::ok) sum += 1e9F;
                  while (const pulled result = p.pull()) {
                      for (const float s : result->view().samples<float>()) sum += s;
                  }
              }) == 0);
        CHECK(sum < 1);
    });

    tests.run("the forms that do not throw allocate nothing", [] {
        pipeline p = pipeline::from_text(testing::one("PassThrough"));
        error e;
        CHECK(counted([&] {
                  static_cast<void>(p.push(silence, 48000, 1, any, e));
                  while (p.pull(no_wait, any, e)) {}
              }) == 0);
    });

    tests.run("a chain of real nodes allocates nothing", [] {
        pipeline p = pipeline::from_text(chain);
        std::size_t frames = 0;
        CHECK(counted([&] {
                  static_cast<void>(p.push(silence, 48000));
                  for (pulled &result : p.results()) frames += result->view().frames();
              }) == 0);
        CHECK(frames > 1000 * 300);
    });

    tests.run("packets of one's own allocate nothing", [] {
        pipeline p = pipeline::from_text(testing::one("PassThrough"));
        CHECK(counted([&] {
                  packet made = packet::create(packet_info::audio(sample::f32, 48000, 1, 480));
                  made.writable<float>()[0] = 1;
                  const packet shared = made.share();
                  static_cast<void>(p.push(made));
                  while (p.pull()) {}
              }) == 0);
    });

    tests.run("a node of one's own allocates nothing", [] {
        engine e = engine::create();
        e.add<forwards>();
        pipeline p = pipeline::from_text(testing::one("alloc/Forwards"), e);
        CHECK(counted([&] {
                  static_cast<void>(p.push(silence, 48000));
                  while (p.pull()) {}
              }) == 0);
    });

    return tests.result();
}
