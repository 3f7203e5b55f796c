// The third file of `units_main.cpp`, without exceptions.

#define RMEDIA_NO_EXCEPTIONS
#include <rmedia.hpp>

bool quiet_file_works();

bool quiet_file_works() {
    rmedia::error e;
    const auto p = rmedia::pipeline::from_text("{", {}, e);
    return !p && e.status() == rmedia::status::invalid_manifest;
}
