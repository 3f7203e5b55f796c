/* Plays a conformance case through the C library: `driver CASE OUT` does the steps in `CASE/steps`,
 * writes raw output into `OUT` and prints one line of JSON. */
#include "audio.h"
#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a program forgets to release is a mistake of the driver. */
static void check_released(void) {
    rmedia_string_t live;
    if (rmedia_live(&live) != RMEDIA_OK)
        die("the library does not say what is live");
    span_t all = span(rmedia_string_data(live)), count;
    const char *const kinds[] = {"engines", "pipelines", "packets", "errors", "jobs"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!json_member(all, kinds[i], &count) || *count.data != '0')
            die("not everything was released: %s", all.data);
    }
    rmedia_string_release(live);
}

int main(int argc, char **argv) {
    if (argc != 3)
        die("two arguments: the case's folder and a folder for what comes out");
    player_t player = {.report.out = realpath(argv[2], NULL)};
    /* Manifests and steps name files relative to the case. */
    if (player.report.out == NULL || chdir(argv[1]) != 0)
        die("'%s' or '%s' is no folder", argv[1], argv[2]);
    play_begin(&player, 0);
    text_t steps = file_read("steps");
    for (char *line = steps.data, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        player.line++;
        line += strspn(line, " \t\r");
        for (size_t size = strlen(line); size > 0 && strchr(" \t\r", line[size - 1]); size--)
            line[size - 1] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        step_t step = step_parse(line);
        play(&player, &step);
    }
    report_print(&player.report, player.pipeline);
    rmedia_pipeline_destroy(player.pipeline);
    rmedia_engine_destroy(player.engine);
    check_released();
    text_free(&steps);
    text_free(&player.report.steps);
    text_free(&player.report.packets);
    free((char *)player.report.out);
    return 0;
}
