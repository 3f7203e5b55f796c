/* What came of the steps: the JSON line, and raw payloads in files. */
#ifndef REPORT_H
#define REPORT_H

#include "rmedia.h"
#include "text.h"

typedef struct report_t {
    const char *out;
    text_t steps;
    text_t packets;
} report_t;

/* Notes what a step came to; `facts` are members of a JSON object, or NULL. */
void report_step(report_t *report, size_t line, const char *status, const char *facts);

/* Notes that a step failed, with facts, and lets go of the error. */
void report_error(report_t *report, size_t line, rmedia_error_t error, const char *facts);

/* Notes a packet that was pulled, and lets go of it. */
void report_packet(report_t *report, size_t line, const char *output,
                   rmedia_packet_t packet);

/* Prints the line, with what the pipeline tells about itself. */
void report_print(const report_t *report, rmedia_pipeline_t pipeline);

#endif
