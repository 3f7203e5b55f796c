// Tests as sentences: `tests.run("a sentence", [] { CHECK(...); });`, in programs that end with
// `return tests.result();`. Works without exceptions.

#ifndef RMEDIA_TESTS_TEST_HPP
#define RMEDIA_TESTS_TEST_HPP

#include <rmedia.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

namespace testing {

/// Checks of this program that did not hold, up to now. One thread checks at a time.
inline int &faults() {
    static int count = 0;
    return count;
}

inline bool check(bool holds, const char *what, const char *file, int line) {
    if (!holds) {
        ++faults();
        std::printf("  %s:%d: not so: %s\n", file, line, what);
    }
    return holds;
}

class tests {
  public:
    template <class F> void run(const char *sentence, F test) {
        const int before = faults();
#if defined(__cpp_exceptions)
        try {
            test();
        } catch (const std::exception &e) {
            check(false, e.what(), sentence, 0);
        }
#else
        test();
#endif
        const bool good = faults() == before;
        ++(good ? passed_ : failed_);
        std::printf("test %s ... %s\n", sentence, good ? "ok" : "FAILED");
        std::fflush(stdout);
    }

    int result() const {
        std::printf("test result: %s. %d passed; %d failed\n", failed_ == 0 ? "ok" : "FAILED",
                    passed_, failed_);
        return failed_ == 0 ? 0 : 1;
    }

  private:
    int passed_ = 0;
    int failed_ = 0;
};

/// Whether a text has another one in it.
inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// How many handles of a kind ("packets") are live.
inline int live(const char *kind) {
    const std::string json = rmedia::live().str();
    const std::string key = std::string("\"") + kind + "\":";
    const auto at = json.find(key);
    return at == std::string::npos ? -1 : std::atoi(json.c_str() + at + key.size());
}

/// The manifest of a pipeline of one node.
inline std::string one(const char *node_type, const char *params = "{}") {
    return std::string(R"({"version": "v1", "nodes": [{"id": "it", "node_type": ")") + node_type +
           R"(", "params": )" + params + "}]}";
}

/// The declaration of a node type that takes f32 audio and gives audio.
#define AUDIO_NODE(name)                                                                           \
    R"({"name": ")" name                                                                           \
    R"(", "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"]}],)"                    \
    R"( "outputs": [{"name": "out", "kinds": ["audio"]}]})"

} // namespace testing

#define CHECK(...) ::testing::check(static_cast<bool>(__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

#endif
