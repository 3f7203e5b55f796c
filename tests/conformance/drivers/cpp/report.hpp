// What came of the steps: the JSON line, and raw payloads in files.
#pragma once

#include <rmedia.hpp>

#include <filesystem>
#include <string>

class report {
  public:
    /// Raw payloads go to files in `out`.
    explicit report(std::filesystem::path out) : out_(std::move(out)) {}

    /// Notes what a step came to; `facts` are members of a JSON object.
    void step(std::size_t line, const std::string &status, const std::string &facts = "");
    /// Notes that a step failed.
    void error(std::size_t line, const rmedia::error &error, const std::string &facts = "");
    /// Notes a packet that was pulled.
    void packet(std::size_t line, const std::string &output, const rmedia::packet &packet);
    /// The line, with what the pipeline tells about itself.
    std::string finish(rmedia::pipeline &pipeline) const;

  private:
    void raw(const std::string &output, const std::string &bytes) const;

    std::filesystem::path out_;
    std::string steps_;
    std::string packets_;
};
