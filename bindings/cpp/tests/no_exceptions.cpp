// The same header where exceptions are off, or where they are on and the program wants none.
// Compiled with -fno-exceptions, and again with -DRMEDIA_NO_EXCEPTIONS.

#include "test.hpp"

#include <array>
#include <atomic>
#include <thread>
#include <type_traits>

#if !defined(RMEDIA_NO_EXCEPTIONS)
#error "this file is compiled with -fno-exceptions or -DRMEDIA_NO_EXCEPTIONS"
#endif

using namespace rmedia;
using testing::has;
using testing::one;

namespace {

const std::array<float, 480> silence{};

struct picky : node<picky> {
    static constexpr const char *declaration = AUDIO_NODE("quiet/Picky");
    status process(job &with, packet_view in) {
        error e;
        if (in.frames() > 480) return with.fail("that is too long");
        return with.forward(0, e);
    }
};

} // namespace

int main() {
    testing::tests tests;

    tests.run("errors are plain objects, and nothing throws", [] {
        static_assert(!std::is_convertible_v<error *, std::exception *>);
        static_assert(noexcept(std::declval<pipeline &>().pull(no_wait, any,
                                                               std::declval<error &>())));
        static_assert(std::is_nothrow_default_constructible_v<error>);
        error e;
        const pipeline none = pipeline::from_file("no-such-file.yaml", {}, e);
        CHECK(!none && e.status() == status::io);
        CHECK(has(e.message(), "no-such-file.yaml"));
        CHECK(has(e.json(), "\"detail\""));
    });

    tests.run("a pipeline is made, fed and emptied", [] {
        error e;
        pipeline p = pipeline::from_text(one("AudioResample", R"({"target_rate": 16000})"), {}, e);
        CHECK(!e);
        for (int n = 0; n < 10; ++n) CHECK(p.push(silence, 48000, 1, any, e) == status::ok);
        std::size_t frames = 0;
        for (pulled &result : p.run(e)) frames += result->view().frames();
        CHECK(!e && frames == 1600);
    });

    tests.run("packets are made, shared, sliced and wrapped", [] {
        error e;
        std::atomic<int> released{0};
        {
            packet p = packet::wrap(packet_info::audio(silence, 48000, 1),
                                    [&released] { ++released; }, release::direct, e);
            const packet shared = p.share(e);
            const packet part = p.slice(10, 20, e);
            CHECK(!e && part.view().frames() == 20);
        }
        CHECK(released == 1);
        CHECK(packet::text("hello", e).view().text() == "hello");
        packet::json("{", e);
        CHECK(e.status() == status::invalid_argument);
    });

    tests.run("a node of one's own fails by what it returns", [] {
        error e;
        engine own = engine::create(0, e);
        CHECK(own.add<picky>(e) == status::ok);
        pipeline p = pipeline::from_text(one("quiet/Picky"), own, e);
        CHECK(p.push(silence, 48000, 1, any, e) == status::ok);
        CHECK(p.pull(no_wait, any, e));
        const std::array<float, 960> longer{};
        CHECK(p.push(longer, 48000, 1, any, e) == status::node);
        CHECK(has(e.message(), "that is too long"));
    });

    tests.run("jobs are taken and done", [] {
        error e;
        engine own = engine::create(0, e);
        own.add_host(AUDIO_NODE("quiet/Host"), e);
        pipeline p = pipeline::from_text(one("quiet/Host"), own, e);
        CHECK(p.push(silence, 48000, 1, any, e) == status::ok);
        host_job job = own.next_job(no_wait, e);
        CHECK(job.forward(0, e) == status::ok);
        CHECK(job.done() == status::ok);
        CHECK(p.pull(forever, any, e));
    });

    return tests.result();
}
