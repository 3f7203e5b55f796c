/* The language of `steps` files: one step a line, words parted by spaces. */
#ifndef STEPS_H
#define STEPS_H

#include "rmedia.h"
#include <stdbool.h>

typedef enum step_kind_t {
    STEP_CREATE,
    STEP_CREATE_FILE,
    STEP_VALIDATE,
    STEP_PUSH,
    STEP_END,
    STEP_PULL,
    STEP_DRAIN,
    STEP_SET,
    STEP_GAP,
    STEP_ADVANCE,
    STEP_INTERRUPT,
    STEP_RESET,
    STEP_REWIND,
    STEP_CLOSE,
    STEP_CANCEL
} step_kind_t;

/* What is not said is zero. Texts are parts of the line. */
typedef struct step_t {
    step_kind_t kind;
    /* Name of an input or output; NULL: none is named. */
    const char *port;
    /* A manifest's file; what is pushed: its file or its text. */
    const char *words;
    bool untrusted;
    /* create: the most bytes that packets may hold; 0: as the library has it. */
    uint64_t memory;
    /* push: try again where it is full. */
    bool retry;
    /* push: kind, flags, time, format, rate, channels. */
    rmedia_packet_info_t info;
    size_t skip_frames;
    /* `all`, or frame counts; `*` at the end repeats them to the end of the file. */
    const char *chunks;
    /* All packets are parts of one. */
    bool sliced;
    const char *node;
    const char *params;
    int64_t at_ns;
    int32_t timeout_ms;
} step_t;

/* Reads a step. Cuts the line into words. */
step_t step_parse(char *line);

#endif
