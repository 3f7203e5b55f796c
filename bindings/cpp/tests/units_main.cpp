// Files that include the header twice, and in different modes, in one program.

#include <rmedia.hpp>
#include <rmedia.hpp>

#include "test.hpp"

const char *from_the_other_file();
bool quiet_file_works();

int main() {
    testing::tests tests;

    tests.run("two files with the header are linked together", [] {
        CHECK(std::string_view(from_the_other_file()) == rmedia::version());
    });

    tests.run("a file without exceptions is linked to one with them", [] {
        CHECK(quiet_file_works());
        bool caught = false;
        try {
            rmedia::pipeline::from_text("{");
        } catch (const rmedia::error &) {
            caught = true;
        }
        CHECK(caught);
    });

    return tests.result();
}
