#include "steps.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace {

const std::array<std::string, 5> samples = {"f32", "i16", "i24", "i32", "u8"};

/// Cuts the first word off.
std::string word(std::string &rest) {
    const std::size_t end = rest.find(' ');
    std::string first = rest.substr(0, end);
    const std::size_t next = end == std::string::npos ? end : rest.find_first_not_of(' ', end);
    rest = next == std::string::npos ? "" : rest.substr(next);
    return first;
}

std::optional<std::string> port_name(std::string &rest) {
    std::string name = word(rest);
    if (name.empty() || name == "-") return std::nullopt;
    return name;
}

std::int64_t number(const std::string &text) {
    std::size_t read = 0;
    const std::int64_t value = std::stoll(text, &read);
    if (read != text.size()) throw std::runtime_error("'" + text + "' is no number");
    return value;
}

sound read_sound(std::string rest) {
    sound read;
    while (!rest.empty()) {
        const std::string said = word(rest);
        const std::size_t equals = said.find('=');
        const std::string name = said.substr(0, equals);
        const std::string value = equals == std::string::npos ? "" : said.substr(equals + 1);
        if (name == "sample") {
            const auto found = std::find(samples.begin(), samples.end(), value);
            if (found == samples.end()) throw std::runtime_error("no sample format: " + value);
            read.sample = static_cast<rmedia::sample>(found - samples.begin());
        } else if (name == "rate") {
            read.rate = static_cast<std::uint32_t>(number(value));
        } else if (name == "channels") {
            read.channels = static_cast<std::uint32_t>(number(value));
        } else if (name == "skip") {
            read.skip = static_cast<std::size_t>(number(value));
        } else if (name == "chunks") {
            read.chunks = value;
        } else if (name == "planar") {
            read.planar = true;
        } else if (name == "sliced") {
            read.sliced = true;
        } else {
            throw std::runtime_error("audio has no '" + said + "'");
        }
    }
    return read;
}

void read_push(std::string rest, step &read) {
    read.port = port_name(rest);
    while (read.kind.empty()) {
        const std::string said = word(rest);
        if (said == "discont") {
            read.after_a_break = true;
        } else if (said.rfind("pts=", 0) == 0) {
            read.time = std::chrono::nanoseconds(number(said.substr(4)));
        } else if (said == "audio") {
            read.kind = said;
            read.words = word(rest);
            read.audio = read_sound(rest);
        } else if (said == "text" || said == "json" || said == "bytes") {
            read.kind = said;
            read.words = rest;
        } else {
            throw std::runtime_error("'" + said + "' can't be pushed");
        }
    }
}

} // namespace

std::size_t sound::sample_size() const {
    static const std::array<std::size_t, 5> sizes = {4, 2, 3, 4, 1};
    return sizes[static_cast<std::size_t>(sample)];
}

std::vector<sound::piece> sound::pieces(std::size_t frames) const {
    if (chunks == "all") {
        const std::size_t first = std::min(skip, frames);
        return {{first, frames - first}};
    }
    std::vector<piece> found;
    const bool repeats = chunks.back() == '*';
    std::size_t first = skip, at = 0;
    while (at < chunks.size()) {
        if (chunks[at] == '*') at = 0;
        const std::size_t comma = std::min(chunks.find(',', at), chunks.size());
        auto size = static_cast<std::size_t>(number(chunks.substr(at, comma - at)));
        at = comma + 1;
        const bool last = repeats && first + size >= frames;
        if (last) size = frames - first;
        if (first + size > frames) throw std::runtime_error("the file is too short for " + chunks);
        found.push_back({first, size});
        first += size;
        if (last) break;
    }
    return found;
}

step step::parse(std::string line) {
    step read;
    std::string rest = std::move(line);
    read.op = word(rest);
    if (read.op == "push" || read.op == "offer") {
        read_push(rest, read);
    } else if (read.op == "end" || read.op == "pull" || read.op == "drain") {
        read.port = port_name(rest);
    } else if (read.op == "create") {
        read.words = word(rest);
        while (!rest.empty()) {
            const std::string said = word(rest);
            if (said.rfind("memory=", 0) == 0) {
                read.memory = static_cast<std::uint64_t>(number(said.substr(7)));
            } else {
                read.untrusted = true;
            }
        }
    } else if (read.op == "set") {
        read.node = word(rest);
        if (rest.rfind("at=", 0) == 0) {
            read.time = std::chrono::nanoseconds(number(word(rest).substr(3)));
        }
        read.words = rest;
    } else if (read.op == "gap") {
        read.port = port_name(rest);
        read.time = std::chrono::nanoseconds(number(rest));
    } else if (read.op == "close") {
        read.timeout = std::chrono::milliseconds(number(rest));
    } else {
        read.words = rest;
    }
    return read;
}
