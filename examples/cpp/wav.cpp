// wav MANIFEST IN.wav OUT.wav: runs a recording through a pipeline, 20 ms at a time.
//
//     c++ -std=c++17 wav.cpp $(pkg-config --cflags --libs rmedia) -o wav
//     ./wav ../resample.yaml speech.wav speech-16k.wav
//
// Reads 16-bit and 32-bit float WAV, and writes what the pipeline gives, on little-endian machines.

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <rmedia.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct format {
    rmedia::sample sample = rmedia::sample::i16;
    std::uint32_t rate = 0, channels = 0;

    bool is_f32() const { return sample == rmedia::sample::f32; }
    std::uint32_t frame_bytes() const { return channels * (is_f32() ? 4 : 2); }
};

std::uint32_t number(std::istream &in, int bytes) {
    std::uint32_t value = 0;
    for (int n = 0; n < bytes; ++n) value |= static_cast<std::uint32_t>(in.get() & 0xff) << (8 * n);
    return value;
}

void put(std::ostream &out, std::uint32_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) out.put(static_cast<char>(value & 0xff));
}

/// Goes to the samples; gives their format, and how many bytes there are.
std::pair<format, std::uint32_t> read_header(std::istream &in) {
    format found;
    char name[4] = {};
    in.seekg(12); // RIFF, size, WAVE
    while (in.read(name, 4)) {
        const std::uint32_t size = number(in, 4);
        const auto next = in.tellg() + static_cast<std::streamoff>(size + size % 2);
        if (std::memcmp(name, "data", 4) == 0 && found.rate != 0) return {found, size};
        if (std::memcmp(name, "fmt ", 4) == 0) {
            const std::uint32_t tag = number(in, 2);
            found.channels = number(in, 2);
            found.rate = number(in, 4);
            in.ignore(6);
            const std::uint32_t bits = number(in, 2);
            if (tag == 3 && bits == 32) {
                found.sample = rmedia::sample::f32;
            } else if (tag != 1 || bits != 16) {
                break;
            }
        }
        in.seekg(next);
    }
    throw std::runtime_error("the input is no WAV of i16 or f32");
}

void write_header(std::ostream &out, const format &of, std::uint32_t bytes) {
    out << "RIFF", put(out, (of.is_f32() ? 50 : 36) + bytes, 4), out << "WAVEfmt ";
    put(out, of.is_f32() ? 18 : 16, 4), put(out, of.is_f32() ? 3 : 1, 2);
    put(out, of.channels, 2), put(out, of.rate, 4), put(out, of.rate * of.frame_bytes(), 4);
    put(out, of.frame_bytes(), 2), put(out, of.is_f32() ? 32 : 16, 2);
    if (of.is_f32()) {
        put(out, 0, 2), out << "fact", put(out, 4, 4), put(out, bytes / of.frame_bytes(), 4);
    }
    out << "data", put(out, bytes, 4);
}

/// A WAV file that is being written.
struct writer {
    std::ofstream out;
    format of;
    std::uint32_t bytes = 0;

    void write(const rmedia::packet_view &audio) {
        if (audio.kind() != rmedia::kind::audio) return;
        of = {audio.sample(), audio.rate(), audio.channels()};
        if (bytes == 0) write_header(out, of, 0); // room for it: the size is not known yet
        out.write(static_cast<const char *>(audio.info().data),
                  static_cast<std::streamsize>(audio.bytes().size()));
        bytes += static_cast<std::uint32_t>(audio.bytes().size());
    }
    void finish() {
        out.seekp(0);
        write_header(out, of, bytes);
        if (!out.flush()) throw std::runtime_error("can't write the output");
    }
};

void run(const char *manifest, const char *from, const char *to) {
    auto pipeline = rmedia::pipeline::from_file(manifest);
    std::ifstream in(from, std::ios::binary);
    writer out{std::ofstream(to, std::ios::binary), {}};
    auto [of, left] = read_header(in);

    while (left >= of.frame_bytes() && in) {
        const std::uint32_t frames = std::min(left / of.frame_bytes(), of.rate / 50);
        auto info = rmedia::packet_info::audio(of.sample, of.rate, of.channels, frames);
        rmedia::packet packet = rmedia::packet::create(info);
        const auto memory = packet.writable<std::byte>();
        in.read(static_cast<char *>(static_cast<void *>(memory.data())),
                static_cast<std::streamsize>(memory.size()));
        left -= frames * of.frame_bytes();
        // Where the pipeline is full the packet is still ours: pull, then push it again.
        while (pipeline.push(packet, rmedia::any, rmedia::forever) != rmedia::status::ok) {
            for (auto &result : pipeline.results()) out.write(result->view());
        }
    }
    for (auto &result : pipeline.run()) out.write(result->view());
    out.finish();
}

} // namespace

int main(int argc, char **argv) try {
    if (argc != 4) return std::cerr << "usage: wav MANIFEST IN.wav OUT.wav\n", 2;
    run(argv[1], argv[2], argv[3]);
    return 0;
} catch (const std::exception &e) { // rmedia::error, too
    std::cerr << "wav: " << e.what() << '\n';
    return 1;
}
