#include "play.h"
#include "audio.h"
#include "nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notes a step with one number, or (`name` NULL) none. */
static void note(player_t *player, int32_t status, rmedia_error_t error, const char *name,
                 uint64_t number) {
    char facts[64] = "";
    if (name != NULL)
        snprintf(facts, sizeof facts, "\"%s\":%" PRIu64, name, number);
    if (status < 0)
        report_error(&player->report, player->line, error, NULL);
    else
        report_step(&player->report, player->line, "ok", facts);
}

/* Notes how far a push came. */
static void note_push(player_t *player, int32_t status, rmedia_error_t error, size_t count) {
    char facts[64];
    snprintf(facts, sizeof facts, "\"count\":%zu", count);
    if (status < 0)
        report_error(&player->report, player->line, error, facts);
    else
        report_step(&player->report, player->line, status == RMEDIA_OK ? "ok" : "full", facts);
}

/* Gives the name of an input or output; {0} where there is none of that index. */
typedef int32_t (*namer_t)(rmedia_pipeline_t, uint32_t, rmedia_string_t *);

/* Adds the names of all ports as a JSON list. */
static void put_names(text_t *facts, rmedia_pipeline_t pipeline, namer_t namer) {
    rmedia_string_t name;
    text_put(facts, "[");
    for (uint32_t i = 0; namer(pipeline, i, &name) == RMEDIA_OK; i++) {
        text_put(facts, i > 0 ? "," : "");
        text_quote(facts, span(rmedia_string_data(name)));
        rmedia_string_release(name);
    }
    text_put(facts, "]");
}

/* Notes a packet of that output, and lets go of it. */
static void note_packet(player_t *player, uint32_t output, rmedia_packet_t packet) {
    rmedia_string_t name;
    if (rmedia_pipeline_output_name(player->pipeline, output, &name) != RMEDIA_OK)
        die("there is no output %u", (unsigned)output);
    report_packet(&player->report, player->line, rmedia_string_data(name), packet);
    rmedia_string_release(name);
}

void play_begin(player_t *player, uint64_t memory) {
    rmedia_engine_options_t options = RMEDIA_ENGINE_OPTIONS_INIT;
    rmedia_error_t error;
    rmedia_engine_destroy(player->engine);
    options.memory_limit = memory;
    if (rmedia_engine_create(&options, &player->engine, &error) != RMEDIA_OK)
        die("%s", rmedia_error_message(error));
    nodes_add(player->engine);
}

static void play_create(player_t *player, const step_t *step) {
    rmedia_pipeline_options_t options = RMEDIA_PIPELINE_OPTIONS_INIT;
    rmedia_error_t error;
    int32_t status;
    if (player->pipeline.id != 0)
        die("a case has one pipeline");
    if (step->memory != 0)
        play_begin(player, step->memory);
    options.engine = player->engine;
    options.flags = step->untrusted ? RMEDIA_PIPELINE_UNTRUSTED : 0;
    if (step->kind == STEP_CREATE) {
        text_t manifest = file_read(step->words);
        status = rmedia_pipeline_create(manifest.data, &options, &player->pipeline, &error);
        text_free(&manifest);
    } else {
        status = rmedia_pipeline_create_from_file(step->words, &options, &player->pipeline, &error);
    }
    if (status < 0) {
        report_error(&player->report, player->line, error, NULL);
        return;
    }
    text_t facts = {0};
    text_put(&facts, "\"inputs\":");
    put_names(&facts, player->pipeline, rmedia_pipeline_input_name);
    text_put(&facts, ",\"outputs\":");
    put_names(&facts, player->pipeline, rmedia_pipeline_output_name);
    report_step(&player->report, player->line, "ok", facts.data);
    text_free(&facts);
}

static void play_validate(player_t *player, const step_t *step) {
    text_t manifest = file_read(step->words), facts = {0};
    rmedia_string_t told;
    rmedia_error_t error;
    span_t report, ok = span("false"), problems = span("[]");
    int32_t status = rmedia_engine_validate(player->engine, manifest.data, &told, &error);
    report = span(status < 0 ? rmedia_error_json(error) : rmedia_string_data(told));
    json_member(report, "problems", &problems);
    if (status >= 0)
        json_member(report, "ok", &ok);
    text_put(&facts, "\"problems\":");
    text_add(&facts, problems.data, problems.size);
    report_step(&player->report, player->line, *ok.data == 't' ? "ok" : "invalid", facts.data);
    if (status < 0)
        rmedia_error_release(error);
    else
        rmedia_string_release(told);
    text_free(&facts);
    text_free(&manifest);
}

/* Notes what a pull or an advance came to. Says whether that was a packet. */
static bool pulled(player_t *player, int32_t status, rmedia_packet_t packet, uint32_t from,
                   rmedia_error_t error) {
    static const char *const NAMES[] = {
        [RMEDIA_OK] = "ok",
        [RMEDIA_END] = "end",
        [RMEDIA_NEED_INPUT] = "need_input",
        [RMEDIA_FULL] = "full",
        [RMEDIA_IN_FLIGHT] = "in_flight",
        [RMEDIA_BUSY] = "busy",
        [RMEDIA_DUE] = "due",
    };
    if (status < 0) {
        report_error(&player->report, player->line, error, NULL);
        return false;
    }
    if ((size_t)status >= sizeof NAMES / sizeof *NAMES || NAMES[status] == NULL)
        die("a pull of this suite never answers %s", rmedia_status_name(status));
    if (status == RMEDIA_OK) {
        note_packet(player, from, packet);
        return true;
    }
    text_t facts = {0};
    rmedia_string_t name = {0};
    if (status == RMEDIA_NEED_INPUT)
        rmedia_pipeline_input_name(player->pipeline, from, &name);
    else if (status == RMEDIA_FULL)
        rmedia_pipeline_output_name(player->pipeline, from, &name);
    if (name.id != 0) {
        text_put(&facts, "\"waits_for\":[");
        text_quote(&facts, span(rmedia_string_data(name)));
        text_put(&facts, "]");
        rmedia_string_release(name);
    }
    report_step(&player->report, player->line, NAMES[status], facts.data);
    text_free(&facts);
    return false;
}

/* Pulls once, from the output that the step names or any. */
static bool pull(player_t *player, const step_t *step, int32_t timeout_ms) {
    rmedia_packet_t packet = {0};
    rmedia_error_t error = {0};
    uint32_t output = RMEDIA_ANY, from = RMEDIA_ANY;
    int32_t status = RMEDIA_OK;
    if (step->port != NULL)
        status = rmedia_pipeline_output(player->pipeline, step->port, &output, &error);
    if (status == RMEDIA_OK)
        status = rmedia_pipeline_pull(player->pipeline, output, timeout_ms, &packet, &from, &error);
    return pulled(player, status, packet, from, error);
}

/* Pushes a packet; while the input is full and something can be pulled, pulls it. */
static int32_t push_one(player_t *player, const step_t *step, uint32_t input,
                        rmedia_packet_t packet, rmedia_error_t *error) {
    int32_t timeout_ms = step->retry ? RMEDIA_FOREVER : RMEDIA_TRY;
    for (;;) {
        int32_t status = rmedia_pipeline_push(player->pipeline, input, packet, timeout_ms, error);
        if (status == RMEDIA_OK || status < 0 || !step->retry) {
            if (status != RMEDIA_OK)
                rmedia_packet_release(packet);
            return status;
        }
        rmedia_packet_t freed;
        uint32_t from;
        if (rmedia_pipeline_pull(player->pipeline, RMEDIA_ANY, RMEDIA_TRY, &freed, &from, NULL) !=
            RMEDIA_OK) {
            rmedia_packet_release(packet);
            return status;
        }
        note_packet(player, from, freed);
    }
}

/* Makes a packet of samples that lie frame by frame. */
static int32_t make_audio(const rmedia_packet_info_t *like, const char *samples, size_t frames,
                          rmedia_packet_t *packet, rmedia_error_t *error) {
    rmedia_packet_info_t info = *like;
    text_t planes = {0};
    info.frames = frames;
    info.size = frames * audio_frame_size(&info);
    info.data = samples;
    if (info.flags & RMEDIA_PACKET_PLANAR) {
        text_add(&planes, samples, info.size);
        audio_to_planes(&info, samples, planes.data);
        info.data = planes.data;
    }
    int32_t status = rmedia_packet_create(&info, packet, error);
    text_free(&planes);
    return status;
}

/* All packets of the step, which are made before the first one is pushed. */
static int32_t make_packets(const step_t *step, const text_t *content, rmedia_packet_t **packets,
                            size_t *count, rmedia_error_t *error) {
    rmedia_packet_info_t info = step->info;
    if (info.kind != RMEDIA_KIND_AUDIO) {
        *count = 1;
        *packets = calloc(1, sizeof **packets);
        info.data = content->data;
        info.size = content->size;
        return rmedia_packet_create(&info, *packets, error);
    }
    size_t frame = audio_frame_size(&info);
    frame = frame > 0 ? frame : 1;
    piece_t *pieces = audio_pieces(step, content->size / frame, count);
    *packets = calloc(*count + 1, sizeof **packets);
    rmedia_packet_t whole = {0};
    size_t begin = pieces[0].first, behind = pieces[*count - 1].first + pieces[*count - 1].frames;
    int32_t status = RMEDIA_OK;
    if (step->sliced)
        status = make_audio(&info, content->data + begin * frame, behind - begin, &whole, error);
    for (size_t i = 0; i < *count && status == RMEDIA_OK; i++) {
        size_t first = pieces[i].first, frames = pieces[i].frames;
        status = step->sliced
                     ? rmedia_packet_slice(whole, first - begin, frames, &(*packets)[i], error)
                     : make_audio(&info, content->data + first * frame, frames, &(*packets)[i],
                                  error);
        info.flags &= ~(uint32_t)(RMEDIA_PACKET_PTS | RMEDIA_PACKET_DISCONT);
    }
    rmedia_packet_release(whole);
    free(pieces);
    return status;
}

static void play_push(player_t *player, step_t step) {
    uint32_t kind = step.info.kind;
    bool file = kind == RMEDIA_KIND_AUDIO || kind == RMEDIA_KIND_BYTES;
    text_t content = {0};
    if (file)
        content = file_read(step.words);
    else
        text_put(&content, step.words);
    rmedia_packet_t *packets = NULL;
    rmedia_error_t error = {0};
    size_t count = 0, done = 0, gone = 0;
    uint32_t input = RMEDIA_ANY;
    step.info.engine = player->engine;
    int32_t status = make_packets(&step, &content, &packets, &count, &error);
    if (status == RMEDIA_OK && step.port != NULL)
        status = rmedia_pipeline_input(player->pipeline, step.port, &input, &error);
    while (status == RMEDIA_OK && gone < count) {
        status = push_one(player, &step, input, packets[gone++], &error);
        done += status == RMEDIA_OK;
    }
    for (; gone < count; gone++)
        rmedia_packet_release(packets[gone]);
    note_push(player, status, error, done);
    free(packets);
    text_free(&content);
}

static void play_set(player_t *player, const step_t *step) {
    rmedia_error_t error = {0};
    uint64_t number = 0;
    int32_t status = rmedia_pipeline_set_params(player->pipeline, step->node, step->params,
                                                step->at_ns, &number, &error);
    note(player, status, error, "number", number);
}

static void play_close(player_t *player, const step_t *step) {
    rmedia_error_t error = {0};
    int32_t status = rmedia_pipeline_close(player->pipeline, step->timeout_ms, &error);
    if (status < 0)
        report_error(&player->report, player->line, error, NULL);
    else
        report_step(&player->report, player->line, "ok",
                    status == RMEDIA_CUT ? "\"closed\":\"cut\"" : "\"closed\":\"drained\"");
}

void play(player_t *player, const step_t *step) {
    rmedia_pipeline_t pipeline = player->pipeline;
    rmedia_error_t error = {0};
    uint32_t index = RMEDIA_ANY, epoch = 0;
    int32_t status = RMEDIA_OK;
    if (pipeline.id == 0 && step->kind > STEP_VALIDATE)
        die("line %zu: there is no pipeline", player->line);
    switch (step->kind) {
    case STEP_CREATE:
    case STEP_CREATE_FILE: play_create(player, step); break;
    case STEP_VALIDATE: play_validate(player, step); break;
    case STEP_PUSH: play_push(player, *step); break;
    case STEP_END:
        if (step->port != NULL)
            status = rmedia_pipeline_input(pipeline, step->port, &index, &error);
        if (status == RMEDIA_OK)
            status = rmedia_pipeline_end(pipeline, index, &error);
        note(player, status, error, NULL, 0);
        break;
    case STEP_PULL:
        if (pull(player, step, RMEDIA_TRY))
            report_step(&player->report, player->line, "ok", NULL);
        break;
    case STEP_DRAIN:
        while (pull(player, step, RMEDIA_FOREVER))
            ;
        break;
    case STEP_SET: play_set(player, step); break;
    case STEP_GAP:
        if (step->port != NULL)
            status = rmedia_pipeline_input(pipeline, step->port, &index, &error);
        if (status == RMEDIA_OK)
            status = rmedia_pipeline_gap(pipeline, index, step->at_ns, &error);
        note(player, status, error, NULL, 0);
        break;
    case STEP_INTERRUPT:
        status = rmedia_pipeline_interrupt(pipeline, &epoch, &error);
        note(player, status, error, "epoch", epoch);
        break;
    case STEP_ADVANCE:
        do {
            status = rmedia_pipeline_advance(pipeline, &error);
        } while (status == RMEDIA_BUSY); /* Threads are at work. */
        if (status == RMEDIA_OK)
            report_step(&player->report, player->line, "ok", NULL);
        else
            pulled(player, status, (rmedia_packet_t){0}, RMEDIA_ANY, error);
        break;
    case STEP_RESET:
        status = rmedia_pipeline_reset(pipeline, &epoch, &error);
        note(player, status, error, "epoch", epoch);
        break;
    case STEP_REWIND:
        status = rmedia_pipeline_rewind(pipeline, &error);
        note(player, status, error, NULL, 0);
        break;
    case STEP_CLOSE: play_close(player, step); break;
    case STEP_CANCEL:
        rmedia_pipeline_cancel(pipeline);
        note(player, RMEDIA_OK, error, NULL, 0);
        break;
    }
}
