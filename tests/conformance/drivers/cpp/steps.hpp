// The language of `steps` files: one step a line, words parted by spaces.
#pragma once

#include <rmedia.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

/// Samples of a file, and how they are cut.
struct sound {
    rmedia::sample sample = rmedia::sample::f32;
    std::uint32_t rate = 0;
    std::uint32_t channels = 0;
    bool planar = false;
    /// All packets are parts of one.
    bool sliced = false;
    std::size_t skip = 0;
    /// `all`, or frame counts; `*` at the end repeats them to the end of the file.
    std::string chunks = "all";

    std::size_t sample_size() const;
    std::size_t frame_size() const { return sample_size() * channels; }

    /// Frames of the file in one packet.
    struct piece {
        std::size_t first;
        std::size_t frames;
    };
    /// Where the packets lie in a file of so many frames.
    std::vector<piece> pieces(std::size_t frames) const;
};

/// One step. What is not said is empty.
struct step {
    std::string op;
    /// Name of an input or output.
    std::optional<std::string> port;
    std::optional<std::chrono::nanoseconds> time;
    bool after_a_break = false;
    /// What is pushed: audio, text, json, bytes.
    std::string kind;
    sound audio;
    bool untrusted = false;
    /// create: the most bytes that packets may hold; 0: as the library has it.
    std::uint64_t memory = 0;
    std::string node;
    /// A file, or the text that is pushed or set.
    std::string words;
    std::chrono::milliseconds timeout{0};

    /// Reads a step. Throws std::runtime_error for what is none.
    static step parse(std::string line);
};
