// Does the steps.
#pragma once

#include "report.hpp"
#include "steps.hpp"

class player {
  public:
    /// An engine that knows the suite's nodes, and no pipeline yet.
    explicit player(std::filesystem::path out);

    /// Does the step on that line.
    void play(std::size_t line, const step &step);
    /// What came of it all.
    std::string finish() { return report_.finish(pipeline_); }

  private:
    /// Makes an engine that knows the suite's nodes.
    void begin(std::uint64_t memory);
    void create(rmedia::pipeline made);
    void validate(const std::string &manifest);
    void push(const step &step);
    std::vector<rmedia::packet> packets(const step &step) const;
    bool push_one(rmedia::packet packet, std::uint32_t input, bool retry);
    bool pull(const step &step, rmedia::timeout wait);
    void idle(rmedia::status answer, std::uint32_t about);
    void ok(const std::string &facts = "") { report_.step(line_, "ok", facts); }
    std::uint32_t input(const step &step) const;

    rmedia::engine engine_;
    rmedia::pipeline pipeline_;
    std::vector<std::string> inputs_;
    std::vector<std::string> outputs_;
    report report_;
    std::size_t line_ = 0;
};
