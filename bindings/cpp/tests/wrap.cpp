// Memory of the program in packets: it is released exactly once, however the packet goes.

#include "test.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using namespace rmedia;
using testing::one;

namespace {

std::array<float, 480> &memory() {
    static std::array<float, 480> samples{};
    return samples;
}

struct fails : node<fails> {
    static constexpr const char *declaration = AUDIO_NODE("wrap/Fails");
    void process(job &, packet_view) { throw std::runtime_error("no"); }
};

/// Wraps the memory; each release counts.
packet wrapped(std::atomic<int> &released, release mode = release::direct,
               const engine *of = nullptr) {
    auto info = packet_info::audio(memory(), 48000, 1);
    if (of != nullptr) info.on(*of);
    return packet::wrap(info, [&released] { ++released; }, mode);
}

} // namespace

int main() {
    testing::tests tests;

    tests.run("wrapped memory is not copied", [] {
        std::atomic<int> released{0};
        const packet p = wrapped(released);
        CHECK(p.view().samples<float>().data() == memory().data());
        error e;
        CHECK(p.writable<float>(e).empty());
        CHECK(e.status() == status::state);
    });

    tests.run("it is released when the packet is let go of", [] {
        std::atomic<int> released{0};
        wrapped(released);
        CHECK(released == 1);
    });

    tests.run("it is released after the last of several references", [] {
        std::atomic<int> released{0};
        packet first = wrapped(released);
        packet second = first.share();
        const packet part = first.slice(10, 10);
        first = packet();
        CHECK(released == 0);
        second = packet();
        CHECK(released == 0 && part.view().frames() == 10);
        {
            const packet last = std::move(const_cast<packet &>(part));
            CHECK(released == 0);
        }
        CHECK(released == 1);
    });

    tests.run("it is released after it was pulled", [] {
        std::atomic<int> released{0};
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(wrapped(released)) == status::ok);
        {
            const pulled result = p.pull();
            CHECK(result->view().samples<float>().data() == memory().data());
            CHECK(released == 0);
        }
        CHECK(released == 1);
    });

    tests.run("it is released by close, cancel, reset and the pipeline's end", [] {
        std::atomic<int> closed{0}, cancelled{0}, reset{0}, destroyed{0};
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(wrapped(closed)) == status::ok);
        p.close();
        CHECK(closed == 1);
        p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(wrapped(reset)) == status::ok);
        p.reset();
        CHECK(p.pull().answer == status::need_input);
        CHECK(reset == 1);
        CHECK(p.push(wrapped(cancelled)) == status::ok);
        p.cancel();
        CHECK(cancelled == 1);
        p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(wrapped(destroyed)) == status::ok);
        p = pipeline();
        CHECK(destroyed == 1);
    });

    tests.run("it is released when its node throws, and when the push is refused", [] {
        std::atomic<int> thrown{0}, refused{0};
        engine e = engine::create();
        e.add<fails>();
        pipeline p = pipeline::from_text(one("wrap/Fails"), e);
        error why;
        CHECK(p.push(wrapped(thrown), any, no_wait, why) == status::node);
        CHECK(thrown == 1);
        CHECK(p.push(wrapped(refused), any, no_wait, why) == status::node);
        CHECK(refused == 1);
    });

    tests.run("it is released when an exception unwinds over it", [] {
        std::atomic<int> released{0};
        try {
            const packet p = wrapped(released);
            throw std::runtime_error("unrelated");
        } catch (const std::runtime_error &) {
        }
        CHECK(released == 1);
    });

    tests.run("it is never released when it could not be wrapped, but what owns it goes", [] {
        std::atomic<int> released{0};
        auto token = std::make_shared<int>(1);
        error e;
        packet_info info = packet_info::audio(memory(), 0, 1);
        packet::wrap(info, [&released, token] { ++released; }, release::direct, e);
        CHECK(e.status() == status::format);
        info = packet_info::text("no");
        packet::wrap(info, [&released, token] { ++released; }, release::direct, e);
        CHECK(e && released == 0);
        CHECK(token.use_count() == 1);
    });

    tests.run("a deferred release waits for the program", [] {
        std::atomic<int> released{0};
        engine e = engine::create();
        wrapped(released, release::deferred, &e);
        wrapped(released, release::deferred, &e);
        CHECK(released == 0);
        CHECK(e.run_releases(1) == 1);
        CHECK(released == 1);
        CHECK(e.run_releases() == 1);
        CHECK(released == 2);
        CHECK(e.run_releases() == 0);
    });

    tests.run("deferred releases are made when their engine goes", [] {
        std::atomic<int> before{0}, after{0};
        packet outlives;
        {
            engine e = engine::create();
            wrapped(before, release::deferred, &e);
            outlives = wrapped(after, release::deferred, &e);
        }
        CHECK(before == 1 && after == 0);
        outlives = packet();
        CHECK(after == 1);
    });

    tests.run("a vector is taken and let go of", [] {
        std::vector<std::int16_t> samples(320, 9);
        const std::int16_t *const data = samples.data();
        const packet p = packet::wrap(std::move(samples), 16000, 2);
        CHECK(p.view().samples<std::int16_t>().data() == data);
        CHECK(p.view().frames() == 160 && p.view().samples<std::int16_t>()[319] == 9);
        error e;
        packet::wrap(std::vector<float>(3), 16000, 2, e);
        CHECK(e.status() == status::format);
    });

    tests.run("the release may move and own what it needs", [] {
        auto owned = std::make_unique<std::array<float, 4>>();
        const auto info = packet_info::audio(*owned, 8000, 1);
        const packet p = packet::wrap(info, [kept = std::move(owned)] {});
        CHECK(p.view().frames() == 4);
    });

    tests.run("packets are released once by threads that run into each other", [] {
        std::atomic<int> released{0};
        for (int round = 0; round < 200; ++round) {
            packet first = wrapped(released);
            packet second = first.share();
            std::thread other([taken = std::move(second)]() mutable { taken = packet(); });
            first = packet();
            other.join();
        }
        CHECK(released == 200);
    });

    tests.run("nothing is left in the end", [] { CHECK(testing::live("packets") == 0); });

    return tests.result();
}
