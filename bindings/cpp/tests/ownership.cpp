// What owns what: moves, references, and that everything is freed once.

#include "test.hpp"

#include <array>
#include <memory>
#include <type_traits>
#include <vector>

using namespace rmedia;
using testing::live;
using testing::one;

namespace {

const std::array<float, 480> silence{};

/// Moves an object to itself, in a way that compilers don't see through.
template <class T> void move_to_itself(T &object) {
    T &same = object;
    object = std::move(same);
}

struct fails : node<fails> {
    static constexpr const char *declaration = AUDIO_NODE("own/Fails");
    void process(job &, packet_view) { throw std::runtime_error("no"); }
};

packet &kept() {
    static auto *one = new packet;
    return *one;
}

/// Keeps a reference of its own, and hands the one that it was lent on, by rmedia.h.
struct keeps : node<keeps> {
    static constexpr const char *declaration = AUDIO_NODE("own/Keeps");
    void process(job &with, packet_view in) {
        kept() = in.share();
        rmedia_job_emit(with.get(), 0, in.get(), nullptr);
    }
};

/// Makes no node, but says that it did.
std::int32_t create_halfway(void *, rmedia_job_t job, const char *, void **made) {
    *made = new int;
    rmedia_job_fail(job, "changed its mind");
    return RMEDIA_OK;
}

int &halfway_destroyed() {
    static int count = 0;
    return count;
}

void destroy_halfway(void *node) {
    delete static_cast<int *>(node);
    ++halfway_destroyed();
}

std::int32_t process_nothing(void *, rmedia_job_t, std::uint32_t, rmedia_packet_t) {
    return RMEDIA_OK;
}

} // namespace

int main() {
    testing::tests tests;

    tests.run("objects move and do not copy", [] {
        static_assert(!std::is_copy_constructible_v<packet> && !std::is_copy_assignable_v<packet>);
        static_assert(!std::is_copy_constructible_v<pipeline>);
        static_assert(!std::is_copy_constructible_v<engine>);
        static_assert(!std::is_copy_constructible_v<string>);
        static_assert(!std::is_copy_constructible_v<host_job>);
        static_assert(std::is_nothrow_move_constructible_v<packet>);
        static_assert(std::is_nothrow_move_assignable_v<packet>);
        static_assert(std::is_nothrow_move_constructible_v<pipeline>);
        static_assert(std::is_nothrow_move_assignable_v<pipeline>);
        static_assert(std::is_nothrow_move_constructible_v<engine>);
        static_assert(std::is_nothrow_move_constructible_v<host_job>);
        static_assert(std::is_nothrow_move_assignable_v<host_job>);
        static_assert(std::is_nothrow_copy_constructible_v<error>);
        static_assert(std::is_nothrow_copy_assignable_v<error>);
        static_assert(sizeof(packet) == sizeof(rmedia_packet_t));
        static_assert(sizeof(pipeline) == sizeof(rmedia_pipeline_t));
    });

    tests.run("a packet is released once, whoever has it last", [] {
        {
            packet first = packet::audio(silence, 48000, 1);
            packet second = std::move(first);
            CHECK(!first);
            CHECK(second);
            CHECK(live("packets") == 1);
            first = std::move(second);
            CHECK(first && !second);
            first = packet::audio(silence, 48000, 1);
            CHECK(live("packets") == 1);
        }
        CHECK(live("packets") == 0);
    });

    tests.run("moving an object to itself changes nothing", [] {
        packet a = packet::audio(silence, 48000, 1);
        move_to_itself(a);
        CHECK(a.view().frames() == 480);
        pipeline p = pipeline::from_text(one("PassThrough"));
        move_to_itself(p);
        CHECK(p.state() == state::running);
        engine e = engine::create();
        move_to_itself(e);
        CHECK(!e.is_default());
        string s = p.metrics();
        move_to_itself(s);
        CHECK(s.view().size() > 2);
        error failure;
        p.input("nowhere", failure);
        const error &same = failure;
        failure = same;
        CHECK(failure.status() == status::not_found);
        pulled nothing = p.pull();
        move_to_itself(nothing);
        CHECK(nothing.answer == status::need_input);
    });

    tests.run("a vector of packets may grow, shrink and be sorted", [] {
        {
            std::vector<packet> packets;
            for (int n = 0; n < 100; ++n) packets.push_back(packet::audio(silence, 48000, 1));
            packets.erase(packets.begin(), packets.begin() + 50);
            std::swap(packets[0], packets[49]);
            CHECK(live("packets") == 50);
        }
        CHECK(live("packets") == 0);
    });

    tests.run("a shared packet lives as long as its last reference", [] {
        packet second;
        {
            const packet first = packet::audio(silence, 48000, 1);
            second = first.share();
            error e;
            second.writable<float>(e);
            CHECK(e.status() == status::state);
        }
        CHECK(second.view().frames() == 480);
        CHECK(second.writable<float>().size() == 480);
    });

    tests.run("a slice keeps its samples alive, and has its own time", [] {
        std::array<float, 480> ramp{};
        for (std::size_t n = 0; n < ramp.size(); ++n) ramp[n] = static_cast<float>(n);
        packet part;
        {
            auto info = packet_info::audio(ramp, 48000, 1);
            part = packet::create(info.at(std::chrono::seconds(1))).slice(48, 96);
        }
        const packet_view view = part.view();
        CHECK(view.samples<float>().size() == 96);
        CHECK(view.samples<float>()[0] >= 48 && view.samples<float>()[0] <= 48);
        CHECK(view.time() == std::chrono::milliseconds(1001));
        CHECK(view.duration() == std::chrono::milliseconds(2));
        error e;
        part.slice(90, 7, e);
        CHECK(e.status() == status::invalid_argument);
    });

    tests.run("a packet goes to the pipeline on success and stays on every other answer", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        packet fresh;
        status answer = status::ok;
        while (answer == status::ok) {
            fresh = packet::audio(silence, 48000, 1);
            answer = p.push(fresh);
            CHECK(static_cast<bool>(fresh) == (answer != status::ok));
        }
        CHECK(answer == status::full);
        CHECK(fresh.view().frames() == 480);
        while (p.pull()) {}
        CHECK(p.push(std::move(fresh)) == status::ok);
        p.end();
        packet late = packet::audio(silence, 48000, 1);
        error e;
        CHECK(p.push(late, any, no_wait, e) == status::state);
        CHECK(late.view().frames() == 480);
    });

    tests.run("a packet that its pipeline failed on is gone, and let go of once", [] {
        engine e = engine::create();
        e.add<fails>();
        pipeline p = pipeline::from_text(one("own/Fails"), e);
        {
            packet pushed = packet::audio(silence, 48000, 1);
            error why;
            CHECK(p.push(pushed, any, no_wait, why) == status::node);
        }
        CHECK(live("packets") == 0);
    });

    tests.run("a shared packet that its pipeline failed on leaves the other reference good", [] {
        engine e = engine::create();
        e.add<fails>();
        pipeline p = pipeline::from_text(one("own/Fails"), e);
        packet pushed = packet::audio(silence, 48000, 1);
        const packet other = pushed.share();
        error why;
        CHECK(p.push(pushed, any, no_wait, why) == status::node);
        pushed = packet();
        CHECK(other.view().frames() == 480);
    });

    tests.run("a lent packet may be kept and emitted, both", [] {
        engine e = engine::create();
        e.add<keeps>();
        pipeline p = pipeline::from_text(one("own/Keeps"), e);
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(kept().view().frames() == 480);
        kept() = packet();
    });

    tests.run("a node whose create returned OK is destroyed, also when the job failed", [] {
        engine e = engine::create();
        rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
        type.declaration = AUDIO_NODE("own/Halfway");
        type.create = create_halfway;
        type.process = process_nothing;
        type.destroy = destroy_halfway;
        CHECK(rmedia_engine_add_node(e.get(), &type, nullptr) == RMEDIA_OK);
        error why;
        pipeline::from_text(one("own/Halfway"), e, why);
        CHECK(why.status() == status::node);
        CHECK(halfway_destroyed() == 1);
    });

    tests.run("an engine may go before its pipelines", [] {
        pipeline p;
        {
            engine e = engine::create();
            p = pipeline::from_text(one("PassThrough"), e);
        }
        CHECK(p.push(silence, 48000) == status::ok);
        CHECK(p.pull());
    });

    tests.run("handles go over to rmedia.h and come back", [] {
        packet a = packet::audio(silence, 48000, 1);
        const rmedia_packet_t raw = a.give();
        CHECK(!a);
        a = packet::adopt(raw);
        CHECK(a.view().frames() == 480);
        rmedia_pipeline_t made{};
        CHECK(rmedia_pipeline_create(one("PassThrough").c_str(), nullptr, &made, nullptr) == 0);
        const pipeline p = pipeline::adopt(made);
        CHECK(p.state() == state::running);
    });

    tests.run("nothing is left in the end", [] {
        for (const char *kind : {"engines", "pipelines", "packets", "errors", "strings", "jobs"}) {
            // The text that tells of the strings is one itself.
            CHECK(live(kind) == 0 || (std::string_view(kind) == "strings" && live(kind) == 1));
        }
    });

    return tests.result();
}
