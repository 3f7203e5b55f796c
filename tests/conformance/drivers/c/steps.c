#include "steps.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const SAMPLES[] = {"f32", "i16", "i24", "i32", "u8"};

/* Cuts the first word off. */
static char *word(char **rest) {
    char *first = *rest, *blank = strchr(first, ' ');
    if (blank == NULL) {
        *rest = first + strlen(first);
    } else {
        *blank = '\0';
        *rest = blank + 1 + strspn(blank + 1, " ");
    }
    return first;
}

static const char *port(char **rest) {
    const char *name = word(rest);
    return *name == '\0' || strcmp(name, "-") == 0 ? NULL : name;
}

static long long number(const char *text) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        die("'%s' is no number that fits", text);
    return value;
}

/* What stands behind a name and `=`; NULL for another name. */
static const char *option(const char *text, const char *name) {
    size_t size = strlen(name);
    return strncmp(text, name, size) == 0 && text[size] == '=' ? text + size + 1 : NULL;
}

static uint32_t sample(const char *name) {
    for (uint32_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++) {
        if (strcmp(SAMPLES[i], name) == 0)
            return i;
    }
    die("'%s' is no sample format", name);
}

static void parse_sound(char *rest, step_t *step) {
    rmedia_packet_info_t *info = &step->info;
    step->words = word(&rest);
    step->chunks = "all";
    while (*rest != '\0') {
        const char *said = word(&rest), *value;
        if ((value = option(said, "rate")) != NULL)
            info->rate = (uint32_t)number(value);
        else if ((value = option(said, "channels")) != NULL)
            info->channels = (uint32_t)number(value);
        else if ((value = option(said, "sample")) != NULL)
            info->format = sample(value);
        else if ((value = option(said, "skip")) != NULL)
            step->skip_frames = (size_t)number(value);
        else if ((value = option(said, "chunks")) != NULL)
            step->chunks = value;
        else if (strcmp(said, "planar") == 0)
            info->flags |= RMEDIA_PACKET_PLANAR;
        else if (strcmp(said, "sliced") == 0)
            step->sliced = true;
        else
            die("audio has no '%s'", said);
    }
}

static void parse_push(char *rest, step_t *step) {
    step->port = port(&rest);
    step->info = (rmedia_packet_info_t)RMEDIA_PACKET_INFO_INIT;
    while (step->info.kind == 0) {
        const char *said = word(&rest), *value;
        if (strcmp(said, "discont") == 0) {
            step->info.flags |= RMEDIA_PACKET_DISCONT;
        } else if ((value = option(said, "pts")) != NULL) {
            step->info.flags |= RMEDIA_PACKET_PTS;
            step->info.pts_ns = number(value);
        } else if (strcmp(said, "audio") == 0) {
            step->info.kind = RMEDIA_KIND_AUDIO;
            parse_sound(rest, step);
        } else {
            step->info.kind = strcmp(said, "text") == 0    ? RMEDIA_KIND_TEXT
                              : strcmp(said, "json") == 0  ? RMEDIA_KIND_JSON
                              : strcmp(said, "bytes") == 0 ? RMEDIA_KIND_BYTES
                                                           : 0;
            step->words = rest;
            if (step->info.kind == 0)
                die("'%s' can't be pushed", said);
        }
    }
}

static void parse_set(char *rest, step_t *step) {
    step->node = word(&rest);
    step->at_ns = RMEDIA_NO_TIME;
    if (option(rest, "at") != NULL)
        step->at_ns = number(option(word(&rest), "at"));
    step->params = rest;
}

static void parse_create(char *rest, step_t *step) {
    step->words = word(&rest);
    while (*rest != '\0') {
        const char *said = word(&rest), *value = option(said, "memory");
        if (value != NULL)
            step->memory = (uint64_t)number(value);
        else
            step->untrusted = true;
    }
}

step_t step_parse(char *line) {
    static const struct {
        const char *name;
        step_kind_t kind;
    } KINDS[] = {
        {"create", STEP_CREATE},     {"create-file", STEP_CREATE_FILE},
        {"validate", STEP_VALIDATE}, {"push", STEP_PUSH},
        {"offer", STEP_PUSH},        {"end", STEP_END},
        {"pull", STEP_PULL},         {"drain", STEP_DRAIN},
        {"set", STEP_SET},           {"gap", STEP_GAP},
        {"advance", STEP_ADVANCE},   {"interrupt", STEP_INTERRUPT},
        {"reset", STEP_RESET},       {"rewind", STEP_REWIND},
        {"close", STEP_CLOSE},       {"cancel", STEP_CANCEL},
    };
    char *rest = line;
    const char *name = word(&rest);
    size_t i = 0;
    while (i < sizeof KINDS / sizeof *KINDS && strcmp(KINDS[i].name, name) != 0)
        i++;
    if (i == sizeof KINDS / sizeof *KINDS)
        die("there is no step '%s'", name);
    step_t step = {.kind = KINDS[i].kind, .retry = strcmp(name, "push") == 0};
    switch (step.kind) {
    case STEP_CREATE: parse_create(rest, &step); break;
    case STEP_CREATE_FILE:
    case STEP_VALIDATE: step.words = rest; break;
    case STEP_PUSH: parse_push(rest, &step); break;
    case STEP_END:
    case STEP_PULL:
    case STEP_DRAIN: step.port = port(&rest); break;
    case STEP_SET: parse_set(rest, &step); break;
    case STEP_GAP:
        step.port = port(&rest);
        step.at_ns = number(rest);
        break;
    case STEP_CLOSE: step.timeout_ms = (int32_t)number(rest); break;
    default: break;
    }
    return step;
}
