// Pipelines: fed, emptied, controlled, waited for.

#include "test.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <poll.h>
#include <thread>
#include <vector>

using namespace rmedia;
using testing::has;
using testing::one;

namespace {

const std::array<float, 960> silence{};
const char *const gain = R"({"gain_db": -6.0})";

const char *const two_of_each = R"({
    "version": "v1",
    "nodes": [{"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"}],
    "inputs": {"left \"one\"": "a.in", "right": "b.in"},
    "outputs": {"zulu": "a.out", "alpha": "b.out"}})";

bool is_readable(int fd) {
    pollfd polled{fd, POLLIN, 0};
    return poll(&polled, 1, 0) == 1;
}

} // namespace

int main() {
    testing::tests tests;

    tests.run("what is pushed comes out, with its times", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        std::vector<float> samples(480, 0.25F);
        CHECK(p.push(samples, 48000, 1) == status::ok);
        CHECK(p.push(samples, 48000, 1) == status::ok);
        p.end();
        const pulled first = p.pull();
        const pulled second = p.pull();
        CHECK(first && second && first.from == 0);
        CHECK(first->view().time() == std::chrono::nanoseconds(0));
        CHECK(second->view().time() == std::chrono::milliseconds(10));
        CHECK(second->view().kind() == kind::audio);
        CHECK(second->view().sample() == sample::f32);
        CHECK(second->view().rate() == 48000);
        CHECK(second->view().samples<float>().size() == 480);
        CHECK(second->view().samples<float>()[479] > 0.24F);
        CHECK(second->view().samples<std::int16_t>().empty());
        CHECK(p.pull().answer == status::end);
    });

    tests.run("a range is over when there is nothing more, and says why", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        for (int n = 0; n < 3; ++n) CHECK(p.push(silence, 48000) == status::ok);
        int count = 0;
        auto results = p.results();
        for (pulled &result : results) count += result ? 1 : 0;
        CHECK(count == 3);
        CHECK(results.answer() == status::need_input);
    });

    tests.run("run ends the inputs and gives everything up to the end", [] {
        pipeline p = pipeline::from_text(one("AudioResample", R"({"target_rate": 16000})"));
        for (int n = 0; n < 50; ++n) CHECK(p.push(silence, 48000) == status::ok);
        std::size_t frames = 0;
        std::vector<packet> all;
        auto results = p.run();
        for (pulled &result : results) {
            frames += result->view().frames();
            all.push_back(std::move(result.packet));
        }
        CHECK(frames == 50 * 320);
        CHECK(results.answer() == status::end);
        CHECK(all.front().view().rate() == 16000);
    });

    tests.run("a run that fails throws out of its loop", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        p.cancel();
        status why = status::ok;
        try {
            for (pulled &result : p.run()) CHECK(!result);
        } catch (const error &e) {
            why = e.status();
        }
        CHECK(why == status::cancelled);
        error e;
        for (pulled &result : p.run(e)) CHECK(!result);
        CHECK(e.status() == status::cancelled);
    });

    tests.run("packets of text, JSON and bytes keep what is in them", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(packet::text("grüß dich")) == status::ok);
        CHECK(p.pull()->view().text() == "grüß dich");
        CHECK(p.push(packet::json(R"({"a": [1, 2]})")) == status::ok);
        CHECK(p.pull()->json().view() == R"({"a":[1,2]})");
        const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
        CHECK(p.push(packet::create(packet_info::bytes(bytes))) == status::ok);
        const pulled result = p.pull();
        CHECK(result->view().bytes().size() == 3 && result->view().bytes()[2] == std::byte{3});
        CHECK(result->view().text().empty());
    });

    tests.run("a packet is made without content and written", [] {
        const packet made = packet::create(packet_info::audio(sample::i16, 16000, 2, 160));
        const span<std::int16_t> samples = made.writable<std::int16_t>();
        CHECK(samples.size() == 320);
        for (std::int16_t &s : samples) s = 7;
        CHECK(made.view().samples<std::int16_t>()[319] == 7);
        error e;
        CHECK(made.writable<float>(e).empty());
        CHECK(e.status() == status::format);
    });

    tests.run("inputs and outputs have names, in the order of their indices", [] {
        pipeline p = pipeline::from_text(two_of_each);
        const auto inputs = p.inputs();
        const auto outputs = p.outputs();
        CHECK(inputs.size() == 2 && outputs.size() == 2);
        for (std::uint32_t n = 0; n < inputs.size(); ++n) CHECK(p.input(inputs[n]) == n);
        for (std::uint32_t n = 0; n < outputs.size(); ++n) CHECK(p.output(outputs[n]) == n);
        CHECK(p.input("left \"one\"") != p.input("right"));
        CHECK(p.push(silence, 48000, 1, p.input("right")) == status::ok);
        const pulled result = p.pull();
        CHECK(result && result.from == p.output("alpha"));
        CHECK(p.pull(no_wait, p.output("zulu")).answer == status::need_input);
    });

    tests.run("reset forgets, rewind begins anew", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(silence, 48000) == status::ok);
        const std::uint32_t epoch = p.reset();
        CHECK(p.pull().answer == status::need_input);
        CHECK(p.reset() == epoch + 1);
        error e;
        CHECK(p.rewind(e) == status::state);
        p.end();
        CHECK(p.pull().answer == status::end);
        p.rewind();
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(p.pull());
    });

    tests.run("an interrupt forgets what was emitted and counts epochs", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(p.interrupt() == 1);
        CHECK(p.pull().answer == status::need_input);
        CHECK(has(p.next_event(), R"("event":"interrupted")"));
        p.cancel();
        error e;
        CHECK(p.interrupt(e) == 0 && e.status() == status::cancelled);
    });

    tests.run("a gap lets go what waits for another input", [] {
        pipeline p = pipeline::from_text(R"({"version": "v1", "nodes": [
            {"id": "a", "node_type": "PassThrough"}, {"id": "b", "node_type": "PassThrough"},
            {"id": "m", "node_type": "Merge", "params": {"order": "time"}}],
            "connections": [{"from": "a", "to": "m"}, {"from": "b", "to": "m"}]})");
        CHECK(p.push(packet::create(packet_info::text("a")), 0) == status::ok);
        CHECK(p.pull().answer == status::need_input);
        p.gap(std::chrono::seconds(1), 1);
        CHECK(p.pull().answer == status::ok);
        error e;
        CHECK(p.gap(std::chrono::seconds(1), 2, e) == status::not_found);
        CHECK(p.gap(std::chrono::seconds(1), any, e) == status::invalid_argument);
    });

    tests.run("advance works without pulling, close ends it", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.state() == state::running);
        p.advance();
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(p.close() == status::ok);
        CHECK(p.state() == state::closed);
        error e;
        CHECK(p.pull(no_wait, any, e).answer == status::closed);
    });

    tests.run("cancel ends a pull that waits in another thread", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("pipe/Never"));
        pipeline p = pipeline::from_text(one("pipe/Never"), e);
        CHECK(p.push(silence, 48000) == status::ok);
        // The job is open, so the pull waits.
        host_job open = e.next_job(no_wait);
        CHECK(open);
        std::atomic<std::int32_t> answer{0};
        std::thread thread([&] {
            error why;
            answer = static_cast<std::int32_t>(p.pull(forever, any, why).answer);
        });
        p.cancel();
        thread.join();
        CHECK(answer == RMEDIA_E_CANCELLED);
        CHECK(p.state() == state::cancelled);
    });

    tests.run("live params are set, and an event says from when on", [] {
        pipeline p = pipeline::from_text(one("Gain", gain));
        const std::uint64_t seq = p.set_params("it", R"({"gain_db": 0.0})");
        const std::uint64_t later =
            p.set_params("it", R"({"gain_db": -3.0})", std::chrono::milliseconds(30));
        CHECK(later > seq);
        for (int n = 0; n < 4; ++n) CHECK(p.push(silence, 48000) == status::ok);
        int applied = 0;
        for (string event = p.next_event(); event; event = p.next_event()) {
            if (has(event, "\"params\"") && has(event, "applied")) ++applied;
        }
        CHECK(applied == 2);
        error e;
        p.set_params("it", R"({"gain_db": "loud"})", e);
        CHECK(e && has(e.detail(), "param.type"));
        p.set_params("it", "[]", e);
        CHECK(e.status() == status::invalid_argument);
    });

    tests.run("metrics and the description are JSON", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(has(p.metrics(), "\"total_executions\":1"));
        CHECK(has(p.describe(), "PassThrough"));
        const string metrics = p.metrics();
        CHECK(std::strlen(metrics.c_str()) == metrics.view().size());
    });

    tests.run("the wait handle is readable while there is something to pull", [] {
        if (!has_feature("wait_handle")) return;
        pipeline p = pipeline::from_text(one("PassThrough"));
        const int fd = p.wait_handle();
        while (p.pull()) {}
        while (p.next_event()) {}
        CHECK(!is_readable(fd));
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(is_readable(fd));
        CHECK(p.pull());
        while (p.pull()) {}
        while (p.next_event()) {}
        CHECK(!is_readable(fd));
    });

    tests.run("a wakeup comes once until nothing was found again", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        int calls = 0;
        p.on_wakeup([&calls] { ++calls; });
        while (p.pull()) {}
        while (p.next_event()) {}
        calls = 0;
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(calls == 1);
        while (p.pull()) {}
        while (p.next_event()) {}
        calls = 0;
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(calls == 1);
    });

    tests.run("one descriptor of the engine serves many pipelines", [] {
        if (!has_feature("wait_handle")) return;
        engine own = engine::create();
        const pipeline_options options(own);
        std::vector<pipeline> pipelines;
        for (std::uint64_t tag = 0; tag < 20; ++tag) {
            pipelines.push_back(pipeline::from_text(one("PassThrough"), options));
            pipelines.back().watch(tag);
        }
        const int fd = own.wait_handle();
        CHECK(!is_readable(fd) && !own.next_ready());
        for (const unsigned n : {7U, 3U, 7U, 11U}) {
            CHECK(pipelines[n].push(silence, 48000) == status::ok);
        }
        pipelines[3].unwatch();
        CHECK(is_readable(fd));
        for (const unsigned expected : {7U, 11U}) {
            const std::optional<std::uint64_t> tag = own.next_ready();
            CHECK(tag == expected);
            while (pipelines[*tag].pull()) {}
            while (pipelines[*tag].next_event()) {}
        }
        CHECK(!own.next_ready() && !is_readable(fd));
        int calls = 0;
        own.on_wakeup([&calls] { ++calls; });
        CHECK(pipelines[3].push(silence, 48000) == status::ok && calls == 0);
        pipelines[3].watch(3);
        CHECK(calls == 1 && own.next_ready() == 3U);
        error e;
        CHECK(pipeline().watch(1, e) == status::bad_handle);
    });

    tests.run("a wakeup function is freed once, however it goes", [] {
        auto token = std::make_shared<int>(1);
        pipeline p = pipeline::from_text(one("PassThrough"));
        p.on_wakeup([token] {});
        CHECK(token.use_count() == 2);
        p.on_wakeup([token] {});
        CHECK(token.use_count() == 2);
        p.on_wakeup(nullptr);
        CHECK(token.use_count() == 1);
        p.on_wakeup([token] {});
        p = pipeline();
        CHECK(token.use_count() == 1);
        error e;
        CHECK(pipeline().on_wakeup([token] {}, e) == status::bad_handle);
        CHECK(token.use_count() == 1);
    });

    tests.run("calls that wait are refused in a wakeup", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        status answer = status::ok;
        p.on_wakeup([&] {
            error e;
            answer = p.pull(forever, any, e).answer;
        });
        while (p.pull()) {}
        while (p.next_event()) {}
        answer = status::ok;
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(answer == status::reentrant);
    });

    tests.run("two threads push and two pull, and nothing is lost", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        std::atomic<int> got{0};
        const auto feed = [&p] {
            for (int n = 0; n < 500;) {
                if (p.push(silence, 48000) == status::ok) {
                    ++n;
                } else {
                    std::this_thread::yield();
                }
            }
        };
        const auto drain = [&] {
            for (;;) {
                const pulled result = p.pull();
                if (result) ++got;
                if (result.answer == status::end) return;
                if (!result) std::this_thread::yield();
            }
        };
        std::vector<std::thread> pullers;
        pullers.emplace_back(drain);
        pullers.emplace_back(drain);
        std::thread first(feed);
        std::thread second(feed);
        first.join();
        second.join();
        p.end();
        for (std::thread &thread : pullers) thread.join();
        CHECK(got == 1000);
    });

    tests.run("timeouts are whole milliseconds, rounded up", [] {
        CHECK(timeout(std::chrono::microseconds(1)).ms() == 1);
        CHECK(timeout(std::chrono::milliseconds(20)).ms() == 20);
        CHECK(timeout(std::chrono::microseconds(2001)).ms() == 3);
        CHECK(timeout(std::chrono::seconds(-1)).ms() == RMEDIA_TRY);
        CHECK(timeout(std::chrono::hours(1000000)).ms() > 2000000000);
        CHECK(no_wait.ms() == RMEDIA_TRY && forever.ms() == RMEDIA_FOREVER);
    });

    tests.run("nothing is left in the end", [] {
        CHECK(testing::live("pipelines") == 0);
        CHECK(testing::live("packets") == 0);
        CHECK(testing::live("errors") == 0);
    });

    return tests.result();
}
