/* Texts that grow, and as much of JSON as a driver needs: strings are written, members are found. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct text_t {
    char *data;
    size_t size;
    size_t room;
} text_t;

/* A part of a text. */
typedef struct span_t {
    const char *data;
    size_t size;
} span_t;

/* Says what is wrong with the driver or the case, and ends. */
_Noreturn void die(const char *format, ...);

void text_add(text_t *text, const char *data, size_t size);
void text_put(text_t *text, const char *words);
void text_format(text_t *text, const char *format, ...);
/* Adds a JSON string. */
void text_quote(text_t *text, span_t words);
void text_free(text_t *text);

span_t span(const char *words);
/* The value of a key in a JSON object, as it stands there. */
bool json_member(span_t object, const char *key, span_t *value);

#endif
