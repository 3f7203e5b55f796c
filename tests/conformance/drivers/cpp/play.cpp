#include "play.hpp"
#include "json.hpp"
#include "nodes.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

std::string read_file(const std::string &path) {
    std::ifstream file(std::filesystem::u8path(path), std::ios::binary);
    if (!file) throw std::runtime_error(path + " can't be read");
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string list(const std::vector<std::string> &names) {
    std::string text;
    for (const std::string &name : names) text += (text.empty() ? "" : ",") + json::quote(name);
    return "[" + text + "]";
}

/// Puts the samples of each channel into a plane.
std::string planes(const sound &audio, const std::string &interleaved) {
    std::string moved;
    const std::size_t size = audio.sample_size(), frame = audio.frame_size();
    for (std::size_t channel = 0; channel < audio.channels; ++channel) {
        for (std::size_t at = channel * size; at < interleaved.size(); at += frame) {
            moved.append(interleaved, at, size);
        }
    }
    return moved;
}

} // namespace

player::player(std::filesystem::path out) : report_(std::move(out)) { begin(0); }

void player::begin(std::uint64_t memory) {
    engine_ = rmedia::engine::create(memory);
    engine_.add<half>();
    engine_.add<fail>();
}

void player::create(rmedia::pipeline made) {
    if (pipeline_) throw std::runtime_error("a case has one pipeline");
    pipeline_ = std::move(made);
    inputs_ = pipeline_.inputs();
    outputs_ = pipeline_.outputs();
    ok("\"inputs\":" + list(inputs_) + ",\"outputs\":" + list(outputs_));
}

void player::validate(const std::string &manifest) {
    rmedia::error error;
    const rmedia::string told = engine_.validate(manifest, error);
    const std::string_view report = error ? error.json() : told.view();
    const bool good = !error && json::member(report, "ok", "false") == "true";
    report_.step(line_, good ? "ok" : "invalid",
                 "\"problems\":" + std::string(json::member(report, "problems", "[]")));
}

std::uint32_t player::input(const step &step) const {
    return step.port ? pipeline_.input(*step.port) : rmedia::any;
}

std::vector<rmedia::packet> player::packets(const step &step) const {
    std::vector<rmedia::packet> made;
    const auto place = [&](rmedia::packet_info info, bool first) {
        if (step.time && first) info.at(*step.time);
        if (step.after_a_break && first) info.after_a_break();
        return rmedia::packet::create(info.on(engine_));
    };
    if (step.kind == "text") {
        made.push_back(place(rmedia::packet_info::text(step.words), true));
    } else if (step.kind == "json") {
        made.push_back(place(rmedia::packet_info::json(step.words), true));
    } else if (step.kind == "bytes") {
        const std::string file = read_file(step.words);
        const auto *const data = reinterpret_cast<const std::byte *>(file.data());
        made.push_back(place(rmedia::packet_info::bytes({data, file.size()}), true));
    } else {
        const sound &audio = step.audio;
        const std::string file = read_file(step.words);
        const std::size_t frame = std::max<std::size_t>(audio.frame_size(), 1);
        const auto pieces = audio.pieces(file.size() / frame);
        const auto make = [&](std::size_t first, std::size_t frames, bool is_first) {
            const std::string samples = file.substr(first * frame, frames * frame);
            const std::string data = audio.planar ? planes(audio, samples) : samples;
            auto info = rmedia::packet_info::audio(audio.sample, audio.rate, audio.channels,
                                                   frames, data.data());
            if (audio.planar) info.c.flags |= RMEDIA_PACKET_PLANAR;
            return place(info, is_first);
        };
        const std::size_t begin = pieces.front().first;
        const std::size_t behind = pieces.back().first + pieces.back().frames;
        rmedia::packet whole;
        if (audio.sliced) whole = make(begin, behind - begin, true);
        for (const sound::piece &piece : pieces) {
            made.push_back(audio.sliced ? whole.slice(piece.first - begin, piece.frames)
                                        : make(piece.first, piece.frames, made.empty()));
        }
    }
    return made;
}

void player::push(const step &step) {
    std::size_t count = 0;
    const auto facts = [&] { return "\"count\":" + std::to_string(count); };
    try {
        std::vector<rmedia::packet> all = packets(step);
        const std::uint32_t to = input(step);
        for (rmedia::packet &packet : all) {
            if (!push_one(std::move(packet), to, step.op == "push")) {
                report_.step(line_, "full", facts());
                return;
            }
            ++count;
        }
        ok(facts());
    } catch (const rmedia::error &error) {
        report_.error(line_, error, facts());
    }
}

/// Pushes a packet; while the input is full and something can be pulled, pulls it. False: full.
bool player::push_one(rmedia::packet packet, std::uint32_t input, bool retry) {
    const rmedia::timeout wait = retry ? rmedia::forever : rmedia::no_wait;
    while (pipeline_.push(packet, input, wait) != rmedia::status::ok) {
        if (!retry) return false;
        rmedia::error error;
        const rmedia::pulled freed = pipeline_.pull(rmedia::no_wait, rmedia::any, error);
        if (!freed) return false;
        report_.packet(line_, outputs_.at(freed.from), *freed);
    }
    return true;
}

/// Pulls once. Says whether that was a packet, which is a note of its own.
bool player::pull(const step &step, rmedia::timeout wait) {
    const std::uint32_t output = step.port ? pipeline_.output(*step.port) : rmedia::any;
    const rmedia::pulled pulled = pipeline_.pull(wait, output);
    if (pulled) {
        report_.packet(line_, outputs_.at(pulled.from), *pulled);
    } else {
        idle(pulled.answer, pulled.from);
    }
    return static_cast<bool>(pulled);
}

/// Notes why nothing goes on, and what it waits for.
void player::idle(rmedia::status answer, std::uint32_t about) {
    const std::vector<std::string> none;
    const char *name = "";
    const std::vector<std::string> *names = &none;
    switch (answer) {
    case rmedia::status::ok: name = "ok"; break;
    case rmedia::status::end: name = "end"; break;
    case rmedia::status::need_input: name = "need_input", names = &inputs_; break;
    case rmedia::status::full: name = "full", names = &outputs_; break;
    case rmedia::status::in_flight: name = "in_flight"; break;
    case rmedia::status::busy: name = "busy"; break;
    case rmedia::status::due: name = "due"; break;
    default: throw std::runtime_error(rmedia::to_string(answer));
    }
    const bool told = about < names->size();
    report_.step(line_, name, told ? "\"waits_for\":" + list({(*names)[about]}) : "");
}

void player::play(std::size_t line, const step &step) {
    line_ = line;
    const std::string &op = step.op;
    try {
        if (op == "create") {
            if (step.memory != 0) begin(step.memory);
            auto options = rmedia::pipeline_options(engine_);
            if (step.untrusted) options.untrusted();
            create(rmedia::pipeline::from_text(read_file(step.words), options));
        } else if (op == "create-file") {
            create(rmedia::pipeline::from_file(step.words, engine_));
        } else if (op == "validate") {
            validate(read_file(step.words));
        } else if (!pipeline_) {
            throw std::runtime_error("there is no pipeline");
        } else if (op == "push" || op == "offer") {
            push(step);
        } else if (op == "end") {
            pipeline_.end(input(step));
            ok();
        } else if (op == "pull") {
            if (pull(step, rmedia::no_wait)) ok();
        } else if (op == "drain") {
            while (pull(step, rmedia::forever)) {
            }
        } else if (op == "set") {
            const std::uint64_t number =
                step.time ? pipeline_.set_params(step.node, step.words, *step.time)
                          : pipeline_.set_params(step.node, step.words);
            ok("\"number\":" + std::to_string(number));
        } else if (op == "gap") {
            pipeline_.gap(step.time.value(), input(step));
            ok();
        } else if (op == "interrupt") {
            ok("\"epoch\":" + std::to_string(pipeline_.interrupt()));
        } else if (op == "advance") {
            rmedia::error error;
            rmedia::status answer = pipeline_.advance(error);
            // Threads are at work.
            while (answer == rmedia::status::busy) answer = pipeline_.advance(error);
            if (error) throw error;
            idle(answer, rmedia::any);
        } else if (op == "reset") {
            ok("\"epoch\":" + std::to_string(pipeline_.reset()));
        } else if (op == "rewind") {
            pipeline_.rewind();
            ok();
        } else if (op == "close") {
            const bool cut = pipeline_.close(step.timeout) == rmedia::status::cut;
            ok(cut ? "\"closed\":\"cut\"" : "\"closed\":\"drained\"");
        } else if (op == "cancel") {
            pipeline_.cancel();
            ok();
        } else {
            throw std::runtime_error("there is no step '" + op + "'");
        }
    } catch (const rmedia::error &error) {
        report_.error(line, error);
    }
}
