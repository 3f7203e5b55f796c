/* Does the steps. */
#ifndef PLAY_H
#define PLAY_H

#include "report.h"
#include "steps.h"

typedef struct player_t {
    rmedia_engine_t engine;
    /* {0} as long as there is none. */
    rmedia_pipeline_t pipeline;
    report_t report;
    /* The step's line. */
    size_t line;
} player_t;

/* Makes an engine that knows the suite's nodes, in the place of the one that there was. */
void play_begin(player_t *player, uint64_t memory);

void play(player_t *player, const step_t *step);

#endif
