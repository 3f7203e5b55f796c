// As much of JSON as a driver needs: strings are written, members of objects are found.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace json {

/// The text as a JSON string.
inline std::string quote(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
            quoted += escaped;
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

/// Cuts the value off that the text begins with.
inline std::string_view cut(std::string_view &text) {
    int depth = 0;
    bool quoted = false;
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (quoted) {
            if (c == '\\') ++at;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            ++depth;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0) break;
        } else if (depth == 0 && (c == ',' || c == ':')) {
            break;
        }
    }
    const std::string_view value = text.substr(0, at);
    text.remove_prefix(at);
    return value;
}

/// The value at a key of an object, as it stands there; `otherwise` where there is none.
inline std::string_view member(std::string_view object, std::string_view key,
                               std::string_view otherwise) {
    while (object.size() > 1 && object.front() != '}') {
        object.remove_prefix(1); // The brace or a comma.
        const std::string_view name = cut(object);
        if (object.empty() || object.front() != ':') break;
        object.remove_prefix(1);
        const std::string_view value = cut(object);
        if (name.size() == key.size() + 2 && name.substr(1, key.size()) == key) return value;
    }
    return otherwise;
}

} // namespace json
