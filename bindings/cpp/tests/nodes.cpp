// Nodes of the program: by functions, and by queue.

#include "test.hpp"

#include <array>
#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace rmedia;
using testing::has;
using testing::one;

namespace {

constexpr std::array<float, 480> half = [] {
    std::array<float, 480> samples{};
    for (std::size_t n = 0; n < samples.size(); ++n) samples[n] = 0.5F;
    return samples;
}();

/// As near as samples have to be.
bool near(float a, float b) { return a - b < 1e-6F && b - a < 1e-6F; }

float first_sample(const pulled &result) {
    const auto samples = result->view().samples<float>();
    return samples.empty() ? -1 : samples[0];
}

/// Makes audio half as loud, in memory of the engine.
struct halve : node<halve> {
    static constexpr const char *declaration = AUDIO_NODE("my/Halve");

    void process(job &with, packet_view in) {
        auto info = packet_info::audio(sample::f32, in.rate(), in.channels(), in.frames());
        packet out = packet::create(in.time() ? info.at(*in.time()) : info);
        const span<float> to = out.writable<float>();
        const span<const float> from = in.samples<float>();
        for (std::size_t n = 0; n < to.size(); ++n) to[n] = from[n] / 2;
        with.emit(std::move(out));
    }
};

struct throws : node<throws> {
    static constexpr const char *declaration = AUDIO_NODE("my/Throws");
    void process(job &, packet_view) { throw std::logic_error("the moon is in the wrong house"); }
};

struct throws_a_number : node<throws_a_number> {
    static constexpr const char *declaration = AUDIO_NODE("my/ThrowsANumber");
    void process(job &, packet_view) { throw 42; }
};

struct throws_ours : node<throws_ours> {
    static constexpr const char *declaration = AUDIO_NODE("my/ThrowsOurs");
    void process(job &, packet_view in) { in.json(); }
};

struct throws_when_made : node<throws_when_made> {
    static constexpr const char *declaration = AUDIO_NODE("my/ThrowsWhenMade");
    throws_when_made() { throw std::runtime_error("no voice today"); }
    void process(job &, packet_view) {}
};

struct fails_quietly : node<fails_quietly> {
    static constexpr const char *declaration = AUDIO_NODE("my/FailsQuietly");
    status process(job &with, packet_view) { return with.fail("said without an exception"); }
};

/// Counts what becomes of its nodes.
struct counted : node<counted> {
    static constexpr const char *declaration = R"({
        "name": "my/Counted",
        "inputs": [{"name": "in", "kinds": ["audio"]}],
        "outputs": [{"name": "out", "kinds": ["audio", "text"]}],
        "params": [{"name": "word", "type": "text", "default": "none", "live": true}]})";

    struct counts {
        std::atomic<int> made{0}, gone{0}, resets{0}, drains{0};
    };

    counted(counts &in, std::string_view params) : in_(in), params_(params) { ++in_.made; }
    ~counted() { ++in_.gone; }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;

    void process(job &with, packet_view, std::uint32_t port) {
        if (port == 0) with.forward();
    }
    void drain(job &with) {
        ++in_.drains;
        with.emit(packet::text(params_));
    }
    void reset() noexcept { ++in_.resets; }
    void set_params(std::string_view params) noexcept { params_ = params; }

  private:
    counts &in_;
    std::string params_;
};

/// Answers later, from another thread.
struct later : node<later> {
    static constexpr const char *declaration = R"({
        "name": "my/Later", "max_in_flight": 4,
        "inputs": [{"name": "in", "kinds": ["audio"]}],
        "outputs": [{"name": "out", "kinds": ["audio"]}]})";
    void process(job &with, packet_view) {
        std::thread([kept = with.keep()]() mutable {
            error e;
            kept.forward(0, e);
            kept.done();
        }).detach();
    }
};

pipeline made(engine &e, const char *type) { return pipeline::from_text(one(type), e); }

template <class Node> error failure_of(const char *type) {
    engine e = engine::create();
    e.add<Node>();
    error why;
    pipeline p = pipeline::from_text(one(type), e, why);
    if (!why) static_cast<void>(p.push(half, 48000, 1, any, why));
    if (p) CHECK(p.state() == state::failed);
    return why;
}

/// Serves an engine's queue from a thread of its own.
class server {
  public:
    template <class F> server(const engine &of, F serve) {
        thread_ = std::thread([this, &of, serve] {
            while (!over_) {
                error e;
                host_job next = of.next_job(std::chrono::milliseconds(10), e);
                if (next) serve(next);
            }
        });
    }
    ~server() {
        over_ = true;
        thread_.join();
    }
    server(const server &) = delete;
    server &operator=(const server &) = delete;

  private:
    std::atomic<bool> over_{false};
    std::thread thread_;
};

/// Serves a job as PassThrough would.
void forward(host_job &next) {
    if (next.kind() == job_kind::process) next.forward();
    next.done();
}

/// Pulls for as long as it takes. `host` may come while the server is between two jobs.
pulled pull(pipeline &p) {
    for (;;) {
        pulled result = p.pull(forever);
        if (result.answer != status::host) return result;
        std::this_thread::yield();
    }
}

} // namespace

int main() {
    testing::tests tests;

    tests.run("a node of one's own works on samples", [] {
        engine e = engine::create();
        e.add<halve>();
        pipeline p = made(e, "my/Halve");
        CHECK(p.push(half, 48000) == status::ok);
        CHECK(p.push(half, 48000) == status::ok);
        CHECK(near(first_sample(p.pull()), 0.25F));
        CHECK(p.pull()->view().time() == std::chrono::milliseconds(10));
    });

    tests.run("what a node throws is its pipeline's error, with the node's name and the text", [] {
        const error e = failure_of<throws>("my/Throws");
        CHECK(e.status() == status::node);
        CHECK(has(e.message(), "the moon is in the wrong house"));
        CHECK(has(e.message(), "'it'"));
        CHECK(has(e.json(), "\"node\":\"it\""));
    });

    tests.run("a node may throw anything", [] {
        const error number = failure_of<throws_a_number>("my/ThrowsANumber");
        CHECK(number.status() == status::node);
        CHECK(has(number.message(), "no std::exception"));
        const error ours = failure_of<throws_ours>("my/ThrowsOurs");
        CHECK(ours.status() == status::node);
    });

    tests.run("a node that can't be made fails the making of its pipeline", [] {
        const error e = failure_of<throws_when_made>("my/ThrowsWhenMade");
        CHECK(e.status() == status::node);
        CHECK(has(e.message(), "no voice today"));
    });

    tests.run("a node fails without an exception", [] {
        const error e = failure_of<fails_quietly>("my/FailsQuietly");
        CHECK(has(e.message(), "said without an exception"));
    });

    tests.run("nodes are made by a factory, told of params, drained, reset and destroyed", [] {
        counted::counts counts;
        {
            engine e = engine::create();
            e.add<counted>([&counts](std::string_view params) {
                return std::make_unique<counted>(counts, params);
            });
            pipeline p = pipeline::from_text(one("my/Counted", R"({"word": "first"})"), e);
            CHECK(counts.made == 1);
            CHECK(p.push(half, 48000) == status::ok);
            CHECK(near(first_sample(p.pull()), 0.5F));
            p.set_params("it", R"({"word": "second"})");
            p.end();
            const pulled last = p.pull();
            CHECK(last->view().text() == R"({"word":"second"})");
            CHECK(counts.drains == 1);
            p.rewind();
            p.reset();
            CHECK(p.push(half, 48000) == status::ok);
            CHECK(counts.resets >= 1);
            CHECK(counts.gone == 0);
        }
        CHECK(counts.gone == 1);
    });

    tests.run("a factory is let go of when its type is refused, and with its engine", [] {
        auto token = std::make_shared<int>(1);
        const auto factory = [token](std::string_view) { return std::make_unique<halve>(); };
        {
            engine e = engine::create();
            e.add<halve>(factory);
            CHECK(token.use_count() == 3);
            error again;
            CHECK(e.add<halve>(factory, again) == status::invalid_argument);
            CHECK(has(again.message(), "my/Halve"));
            CHECK(token.use_count() == 3);
        }
        CHECK(token.use_count() == 2);
    });

    tests.run("a node may answer later, from another thread", [] {
        engine e = engine::create();
        e.add<later>();
        pipeline p = made(e, "my/Later");
        for (int n = 0; n < 20; ++n) {
            CHECK(p.push(packet::audio(half, 48000, 1), any, forever) == status::ok);
            const pulled result = p.pull(forever);
            CHECK(result && near(first_sample(result), 0.5F));
        }
    });

    tests.run("jobs are served by another thread", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("my/Host"));
        pipeline p = made(e, "my/Host");
        const server serving(e, forward);
        int got = 0;
        for (int n = 0; n < 200; ++n) {
            packet pushed = packet::audio(half, 48000, 1);
            while (p.push(pushed, any, forever) == status::host) std::this_thread::yield();
            if (pull(p)) ++got;
        }
        CHECK(got == 200);
        p.end();
        CHECK(pull(p).answer == status::end);
    });

    tests.run("a pull that waits is not told of jobs that a server is about to take", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("my/Host"));
        pipeline p = made(e, "my/Host");
        const server serving(e, forward);
        int host = 0;
        for (int n = 0; n < 20000; ++n) {
            packet pushed = packet::audio(half, 48000, 1);
            while (p.push(pushed, any, forever) != status::ok) ++host;
            while (!p.pull(forever)) ++host;
            // Before its first job nobody knows the server.
            if (n == 0) host = 0;
        }
        CHECK(host == 0);
    });

    tests.run("a pull tells of a job that nobody serves", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("my/Host"));
        pipeline p = made(e, "my/Host");
        CHECK(p.push(half, 48000) == status::ok);
        CHECK(p.pull(forever).answer == status::host);
        host_job taken = e.next_job(no_wait);
        CHECK(taken.kind() == job_kind::process);
        CHECK(std::string_view(taken.node_type()) == "my/Host");
        CHECK(std::string_view(taken.params()) == "{}");
        CHECK(taken.packet().frames() == 480);
        taken.forward();
        taken.done();
        CHECK(near(first_sample(p.pull()), 0.5F));
        CHECK(!e.next_job(no_wait));
    });

    tests.run("a job that is dropped fails its pipeline", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("my/Host"));
        pipeline p = made(e, "my/Host");
        CHECK(p.push(half, 48000) == status::ok);
        {
            const host_job dropped = e.next_job(no_wait);
        }
        error why;
        CHECK(p.pull(no_wait, any, why).answer == status::node);
        CHECK(has(why.message(), "dropped"));
        CHECK(has(why.message(), "'it'"));
    });

    tests.run("a run over jobs that nobody serves says that it stopped", [] {
        engine e = engine::create();
        e.add_host(AUDIO_NODE("my/Host"));
        pipeline p = made(e, "my/Host");
        CHECK(p.push(half, 48000) == status::ok);
        error why;
        for (pulled &result : p.run(why)) CHECK(!result);
        CHECK(why.status() == status::state);
        CHECK(has(why.message(), "Host"));
    });

    tests.run("the node types of an engine and what a manifest lacks are told as JSON", [] {
        engine e = engine::create();
        e.add<halve>();
        CHECK(has(e.nodes(), "my/Halve"));
        CHECK(has(e.validate(one("my/Halve")), "\"ok\":true"));
        CHECK(has(e.validate(one("my/Nothing")), "\"ok\":false"));
        error why;
        e.validate("{", why);
        CHECK(why.status() == status::invalid_manifest);
    });

    tests.run("nothing is left in the end", [] {
        CHECK(testing::live("engines") == 0);
        CHECK(testing::live("pipelines") == 0);
        CHECK(testing::live("packets") == 0);
        CHECK(testing::live("jobs") == 0);
    });

    return tests.result();
}
