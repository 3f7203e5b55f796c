// A program that finds another librmedia than its header is for. This program's own
// rmedia_abi_version comes before the library's.

#include "test.hpp"

#include <array>

extern "C" std::uint32_t rmedia_abi_version(void) { return (7U << 24) | (3U << 8); }

int main() {
    testing::tests tests;

    tests.run("a library of another ABI is refused at the first call, with both versions", [] {
        rmedia::error e;
        const auto p = rmedia::pipeline::from_text(testing::one("PassThrough"), {}, e);
        CHECK(!p);
        CHECK(e.status() == rmedia::status::unsupported);
        CHECK(testing::has(e.message(), "librmedia 0.1"));
        CHECK(testing::has(e.message(), "librmedia 7.3"));
        rmedia::engine::create(0, e);
        CHECK(e.status() == rmedia::status::unsupported);
        rmedia::engine shared;
        CHECK(shared.add_host(AUDIO_NODE("abi/Host"), e) == rmedia::status::unsupported);
    });

    return tests.result();
}
