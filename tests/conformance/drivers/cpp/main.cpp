// Plays a conformance case through rmedia.hpp: `driver CASE OUT` does the steps in `CASE/steps`,
// writes raw output into `OUT` and prints one line of JSON.
#include "json.hpp"
#include "play.hpp"

#include <fstream>
#include <iostream>
#include <stdexcept>

namespace {

void run(const std::filesystem::path &folder, const std::filesystem::path &out) {
    player player(std::filesystem::absolute(out));
    // Manifests and steps name files relative to the case.
    std::filesystem::current_path(folder);
    std::ifstream steps("steps");
    std::string line;
    for (std::size_t number = 1; std::getline(steps, line); ++number) {
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin == std::string::npos || line[begin] == '#') continue;
        const std::size_t end = line.find_last_not_of(" \t\r") + 1;
        player.play(number, step::parse(line.substr(begin, end - begin)));
    }
    std::cout << player.finish() << '\n';
}

} // namespace

int main(int argc, char **argv) {
    try {
        if (argc != 3) throw std::runtime_error("two arguments: the case's folder and one for output");
        run(argv[1], argv[2]);
        // What is not released is a mistake of the driver, or of rmedia.hpp.
        const rmedia::string live = rmedia::live();
        for (const char *kind : {"engines", "pipelines", "packets", "errors", "jobs"}) {
            if (json::member(live.view(), kind, "?") != "0") throw std::runtime_error(live.str());
        }
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    return 0;
}
