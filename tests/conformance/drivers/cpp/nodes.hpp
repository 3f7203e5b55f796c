// The host nodes of the suite, as a C++ program writes them.
#pragma once

#include <rmedia.hpp>

#include <stdexcept>

/// Halves samples.
struct half : rmedia::node<half> {
    static constexpr const char *declaration = R"({"name": "test/Half", "summary": "Halves samples.",
        "inputs": [{"name": "in", "kinds": ["audio"], "samples": ["f32"], "planar": false}],
        "outputs": [{"name": "out", "kinds": ["audio"], "samples": ["f32"], "planar": false,
            "like_input": true}]})";

    void process(rmedia::job &job, rmedia::packet_view in) {
        auto info = rmedia::packet_info::audio(in.sample(), in.rate(), in.channels(), in.frames());
        if (in.time()) info.at(*in.time());
        if (in.is_after_a_break()) info.after_a_break();
        rmedia::packet halved = rmedia::packet::create(info);
        const auto from = in.samples<float>();
        const auto to = halved.writable<float>();
        for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] * 0.5f;
        job.emit(std::move(halved));
    }
};

/// Hands two packets on and fails on the third.
class fail : public rmedia::node<fail> {
  public:
    static constexpr const char *declaration =
        R"({"name": "test/Fail", "summary": "Fails on its third packet.",
        "inputs": [{"name": "in"}], "outputs": [{"name": "out", "like_input": true}]})";

    void process(rmedia::job &job, rmedia::packet_view) {
        if (++seen_ == 3) throw std::runtime_error("third packet");
        job.forward();
    }

  private:
    int seen_ = 0;
};
