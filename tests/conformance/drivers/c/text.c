#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

/* Makes room for so many bytes more and a zero. */
static char *grow(text_t *text, size_t more) {
    size_t needed = text->size + more + 1;
    if (needed > text->room) {
        text->room = needed * 2;
        text->data = realloc(text->data, text->room);
        if (text->data == NULL)
            die("no memory");
    }
    return text->data + text->size;
}

void text_add(text_t *text, const char *data, size_t size) {
    char *end = grow(text, size);
    if (size > 0)
        memcpy(end, data, size);
    end[size] = '\0';
    text->size += size;
}

void text_put(text_t *text, const char *words) {
    text_add(text, words, strlen(words));
}

void text_format(text_t *text, const char *format, ...) {
    char words[256];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(words, sizeof words, format, values);
    va_end(values);
    if (size < 0 || (size_t)size >= sizeof words)
        die("too long for a line: %s", format);
    text_add(text, words, (size_t)size);
}

void text_quote(text_t *text, span_t words) {
    text_put(text, "\"");
    for (size_t i = 0; i < words.size; i++) {
        unsigned char byte = (unsigned char)words.data[i];
        if (byte == '"' || byte == '\\')
            text_format(text, "\\%c", byte);
        else if (byte < 0x20)
            text_format(text, "\\u%04x", byte);
        else
            text_add(text, &words.data[i], 1);
    }
    text_put(text, "\"");
}

void text_free(text_t *text) {
    free(text->data);
    *text = (text_t){0};
}

span_t span(const char *words) {
    return (span_t){words, words == NULL ? 0 : strlen(words)};
}

/* Behind the blanks. */
static const char *blanks(const char *at, const char *end) {
    while (at < end && strchr(" \t\r\n", *at) != NULL)
        at++;
    return at;
}

/* Behind the value that begins here. The library's JSON is well formed. */
static const char *skip(const char *at, const char *end) {
    int depth = 0;
    bool quoted = false;
    for (; at < end; at++) {
        if (quoted) {
            if (*at == '\\')
                at++;
            else if (*at == '"')
                quoted = false;
        } else if (*at == '"') {
            quoted = true;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (depth-- == 0)
                return at;
        } else if (depth == 0 && (*at == ',' || *at == ':')) {
            return at;
        }
    }
    return end;
}

/* The next member of an object; `at` stands behind its brace or a comma. */
static bool member(const char **at, const char *end, span_t *key, span_t *value) {
    const char *first = blanks(*at, end);
    if (first == end || *first != '"')
        return false;
    const char *colon = skip(first, end);
    const char *last = colon;
    while (last[-1] != '"')
        last--;
    *key = (span_t){first + 1, (size_t)(last - first) - 2};
    const char *begin = blanks(colon + 1, end);
    const char *behind = skip(begin, end);
    *value = (span_t){begin, (size_t)(behind - begin)};
    *at = behind < end && *behind == ',' ? behind + 1 : behind;
    return true;
}

bool json_member(span_t object, const char *key, span_t *value) {
    const char *at = object.data + 1, *end = object.data + object.size;
    span_t found;
    while (member(&at, end, &found, value)) {
        if (found.size == strlen(key) && memcmp(found.data, key, found.size) == 0)
            return true;
    }
    return false;
}
