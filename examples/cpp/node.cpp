// node: a node of one's own as a class. It makes audio softer, by a param that can be set live.
//
//     c++ -std=c++17 node.cpp $(pkg-config --cflags --libs rmedia) -o node && ./node

#include <cstdio>
#include <cstdlib>
#include <rmedia.hpp>
#include <string>
#include <vector>

namespace {

struct soften : rmedia::node<soften> {
    static constexpr const char *declaration = R"({
        "name": "example/Soften",
        "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": false}],
        "outputs": [{"name": "out", "kinds": ["audio"], "like_input": true}],
        "params": [{"name": "factor", "type": "float", "min": 0, "max": 1, "default": 0.5,
                    "live": true}]})";

    explicit soften(std::string_view params) { set_params(params); }

    void process(rmedia::job &job, rmedia::packet_view in) {
        const auto from = in.samples<float>();
        auto info = rmedia::packet_info::audio(in.sample(), in.rate(), in.channels(), in.frames());
        if (in.time()) info.at(*in.time());
        rmedia::packet out = rmedia::packet::create(info);
        const auto to = out.writable<float>();
        for (std::size_t n = 0; n < to.size(); ++n) to[n] = from[n] * factor_;
        job.emit(std::move(out)); // What is thrown here is the error of the pipeline.
    }

    /// {"factor":0.5}: checked by the engine and complete. A program has a JSON parser for more.
    void set_params(std::string_view params) noexcept {
        const auto at = params.find("\"factor\":");
        if (at != params.npos) factor_ = std::strtof(params.data() + at + 9, nullptr);
    }

  private:
    float factor_ = 1;
};

} // namespace

int main() try {
    rmedia::engine engine; // the default one
    engine.add<soften>();
    auto pipeline = rmedia::pipeline::from_text("version: v1\n"
                                                "nodes: [{ id: it, node_type: example/Soften }]\n");
    const std::vector<float> samples(480, 0.8F);
    if (pipeline.push(samples, 48000) != rmedia::status::ok) return 1;
    pipeline.set_params("it", R"({"factor": 0.25})");
    if (pipeline.push(samples, 48000) != rmedia::status::ok) return 1;
    for (auto &result : pipeline.run()) {
        const auto view = result->view();
        std::printf("%zu frames of %.1f\n", view.frames(),
                    static_cast<double>(view.samples<float>()[0])); // of 0.4, of 0.2
    }
    return 0;
} catch (const rmedia::error &e) {
    std::fprintf(stderr, "node: %s\n", e.what());
    return 1;
}
