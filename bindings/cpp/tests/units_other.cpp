// The second file of `units_main.cpp`.

#include <rmedia.hpp>

const char *from_the_other_file();

const char *from_the_other_file() {
    const auto p = rmedia::pipeline::from_text(
        R"({"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]})");
    return p.state() == rmedia::state::running ? rmedia::version() : "";
}
