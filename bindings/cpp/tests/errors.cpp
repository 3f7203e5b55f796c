// Errors: what they say, that they are thrown or filled in, and how they are copied.

#include "test.hpp"

#include <array>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace rmedia;
using testing::has;
using testing::one;

namespace {

const std::array<float, 480> silence{};

/// What a call throws.
template <class F> std::optional<error> thrown(F call) {
    try {
        call();
    } catch (const error &e) {
        return e;
    }
    return std::nullopt;
}

} // namespace

int main() {
    testing::tests tests;

    tests.run("a manifest that is wrong is refused with all its problems", [] {
        const char *manifest = R"({"version": "v1", "nodes": [
            {"id": "a", "node_type": "Gian"},
            {"id": "b", "node_type": "AudioResample", "params": {"target_rate": "fast"}}]})";
        const auto e = thrown([&] { pipeline::from_text(manifest); });
        if (!CHECK(e.has_value())) return;
        CHECK(e->status() == status::invalid_manifest);
        CHECK(has(e->json(), "\"problems\":["));
        CHECK(has(e->json(), "Gian"));
        CHECK(has(e->json(), "target_rate"));
        CHECK(has(e->json(), "\"line\":2"));
        CHECK(std::string_view(e->what()) == e->message());
    });

    tests.run("an error is caught as a std::runtime_error", [] {
        bool caught = false;
        try {
            pipeline::from_file("no-such-file.yaml");
        } catch (const std::runtime_error &e) {
            caught = has(e.what(), "no-such-file.yaml");
        }
        CHECK(caught);
    });

    tests.run("the same call says the same in both forms", [] {
        error filled;
        const pipeline none = pipeline::from_file("no-such-file.yaml", {}, filled);
        CHECK(!none);
        const auto raised = thrown([] { pipeline::from_file("no-such-file.yaml"); });
        if (!CHECK(raised.has_value())) return;
        CHECK(filled.status() == raised->status());
        CHECK(std::string_view(filled.detail()) == raised->detail());
        CHECK(std::string_view(filled.message()) == raised->message());
    });

    tests.run("a success empties the error that it is given", [] {
        error e;
        pipeline::from_text("{", {}, e);
        CHECK(e && e.status() == status::invalid_manifest);
        const pipeline p = pipeline::from_text(one("PassThrough"), {}, e);
        CHECK(!e && e.status() == status::ok);
        CHECK(p);
    });

    tests.run("copies of an error say the same and outlive it", [] {
        const int before = testing::live("errors");
        std::vector<error> copies;
        {
            error e;
            pipeline::from_text("{", {}, e);
            for (int n = 0; n < 10; ++n) copies.push_back(e);
        }
        CHECK(testing::live("errors") == before + 1);
        for (const error &copy : copies) CHECK(copy.status() == status::invalid_manifest);
        CHECK(has(copies[9].message(), "manifest") || copies[9].message()[0] != 0);
        copies.clear();
        CHECK(testing::live("errors") == before);
    });

    tests.run("an error goes to another thread", [] {
        std::exception_ptr carried;
        std::thread thread([&] {
            try {
                pipeline::from_text("{");
            } catch (...) {
                carried = std::current_exception();
            }
        });
        thread.join();
        CHECK(thrown([&] { std::rethrow_exception(carried); })->status() ==
              status::invalid_manifest);
    });

    tests.run("calls on an empty object fail and do no harm", [] {
        pipeline none;
        error e;
        CHECK(none.push(silence, 48000, 1, any, e) == status::bad_handle);
        CHECK(none.pull(no_wait, any, e).answer == status::bad_handle);
        CHECK(none.end(any, e) == status::bad_handle);
        CHECK(none.close(no_wait, e) == status::bad_handle);
        none.state(e);
        CHECK(e.status() == status::bad_handle);
        CHECK(std::string_view(e.message()) == "BadHandle");
        none.cancel();
        CHECK(!none.next_event());
        CHECK(none.outputs().empty());
        CHECK(!packet().view());
        CHECK(thrown([] { packet().share(); })->status() == status::bad_handle);
    });

    tests.run("samples that are no whole number of frames are refused", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        const std::array<float, 3> three{};
        error e;
        CHECK(p.push(three, 48000, 2, any, e) == status::invalid_argument);
        CHECK(has(e.message(), "whole number of frames"));
        CHECK(p.push(three, 48000, 0, any, e) == status::invalid_argument);
        CHECK(thrown([&] { packet::audio(three, 48000, 2); })->status() == status::format);
    });

    tests.run("answers that are no failures are never thrown", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        CHECK(p.pull().answer == status::need_input);
        status answer = status::ok;
        while (answer == status::ok) answer = p.push(silence, 48000);
        CHECK(answer == status::full);
        p.end();
        while (p.pull()) {}
        CHECK(p.pull().answer == status::end);
    });

    tests.run("an error names the node and port that it is about", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        const auto e = thrown([&] { p.set_params("volume", R"({"db": 1})"); });
        if (!CHECK(e.has_value())) return;
        CHECK(e->status() == status::not_found);
        CHECK(has(e->message(), "volume"));
        CHECK(std::string_view(e->detail()) == "argument.unknown_node");
        CHECK(thrown([&] { p.output("x"); })->status() == status::not_found);
    });

    tests.run("an untrusted manifest gets no files", [] {
        error e;
        const std::string reader = one("MediaReader", R"({"path": "/etc/passwd"})");
        pipeline::from_text(reader, pipeline_options().untrusted(), e);
        CHECK(e.status() == status::invalid_manifest);
    });

    tests.run("in a forked child every call fails, and says why", [] {
        pipeline p = pipeline::from_text(one("PassThrough"));
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            error e;
            const bool refused = p.pull(no_wait, any, e).answer == status::forked;
            _exit(refused && has(e.message(), "forked") && !p.next_event() ? 0 : 1);
        }
        int how = -1;
        waitpid(child, &how, 0);
        CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    });

    return tests.result();
}
