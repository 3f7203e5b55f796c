#include "report.hpp"
#include "json.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

namespace {

const std::array<const char *, 10> kinds = {"",     "audio", "video",  "encoded", "tensor",
                                            "text", "json",  "record", "bytes",   "file"};
const std::array<const char *, 5> samples = {"f32", "i16", "i24", "i32", "u8"};
const std::array<std::size_t, 5> sizes = {4, 2, 3, 4, 1};
const std::array<const char *, 5> states = {"running", "closing", "closed", "failed", "cancelled"};

template <class Names, class Enum> auto name(const Names &names, Enum of) {
    return names.at(static_cast<std::size_t>(of));
}

/// The samples of a packet, frame by frame.
std::string interleaved(const rmedia::packet_view &view) {
    const auto bytes = view.bytes();
    const auto *const data = reinterpret_cast<const char *>(bytes.data());
    if (!view.is_planar()) return std::string(data, bytes.size());
    const std::size_t size = name(sizes, view.sample());
    std::string frames;
    for (std::size_t n = 0; n < view.frames(); ++n) {
        for (std::size_t channel = 0; channel < view.channels(); ++channel) {
            frames.append(data + channel * view.info().stride + n * size, size);
        }
    }
    return frames;
}

const char *word(bool yes) { return yes ? "true" : "false"; }

} // namespace

void report::step(std::size_t line, const std::string &status, const std::string &facts) {
    steps_ += (steps_.empty() ? "{\"line\":" : ",{\"line\":") + std::to_string(line) +
              ",\"status\":" + json::quote(status) + (facts.empty() ? "" : ",") + facts + "}";
}

void report::error(std::size_t line, const rmedia::error &error, const std::string &facts) {
    const std::string told = std::string("\"error\":") + error.json();
    step(line, rmedia::to_string(error.status()), facts.empty() ? told : told + "," + facts);
}

void report::raw(const std::string &output, const std::string &bytes) const {
    std::string file = output + ".raw";
    std::replace(file.begin(), file.end(), '/', '_');
    std::ofstream to(out_ / std::filesystem::u8path(file), std::ios::binary | std::ios::app);
    if (!(to << bytes)) throw std::runtime_error(file + " can't be written");
}

void report::packet(std::size_t line, const std::string &output, const rmedia::packet &packet) {
    const rmedia::packet_view view = packet.view();
    std::string facts = "{\"line\":" + std::to_string(line) + ",\"output\":" +
                        json::quote(output) + ",\"kind\":\"" + name(kinds, view.kind()) +
                        "\",\"pts_ns\":";
    facts += view.time() ? std::to_string(view.time()->count()) : "null";
    facts += std::string(",\"discont\":") + word(view.is_after_a_break());
    switch (view.kind()) {
    case rmedia::kind::audio:
        facts += ",\"frames\":" + std::to_string(view.frames()) + ",\"rate\":" +
                 std::to_string(view.rate()) + ",\"channels\":" + std::to_string(view.channels()) +
                 ",\"sample\":\"" + name(samples, view.sample()) + "\",\"planar\":" +
                 word(view.is_planar());
        raw(output, interleaved(view));
        break;
    case rmedia::kind::text: facts += ",\"value\":" + json::quote(view.text()); break;
    case rmedia::kind::json:
    case rmedia::kind::record: facts += ",\"value\":" + packet.json().str(); break;
    case rmedia::kind::bytes: {
        const auto bytes = view.bytes();
        facts += ",\"bytes\":" + std::to_string(bytes.size());
        raw(output, std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size()));
        break;
    }
    default: break;
    }
    packets_ += (packets_.empty() ? "" : ",") + facts + "}";
}

std::string report::finish(rmedia::pipeline &pipeline) const {
    std::string line = "{\"steps\":[" + steps_ + "],\"packets\":[" + packets_ + "]";
    if (pipeline) {
        std::string events;
        while (const rmedia::string event = pipeline.next_event()) {
            events += (events.empty() ? "" : ",") + event.str();
        }
        line += ",\"events\":[" + events + "],\"metrics\":" + pipeline.metrics().str() +
                ",\"state\":\"" + name(states, pipeline.state()) + "\"";
    }
    return line + "}";
}
