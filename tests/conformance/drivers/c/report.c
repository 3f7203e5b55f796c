#include "report.h"
#include "audio.h"

#include <inttypes.h>
#include <stdio.h>

/* By RMEDIA_KIND_…, RMEDIA_SAMPLE_…, RMEDIA_STATE_… */
static const char *const KINDS[] = {"",     "audio", "video",  "encoded", "tensor",
                                    "text", "json",  "record", "bytes",   "file"};
static const char *const SAMPLES[] = {"f32", "i16", "i24", "i32", "u8"};
static const char *const STATES[] = {"running", "closing", "closed", "failed", "cancelled"};

void report_step(report_t *report, size_t line, const char *status, const char *facts) {
    text_t *steps = &report->steps;
    text_format(steps, "%s{\"line\":%zu,\"status\":", steps->size > 0 ? "," : "", line);
    text_quote(steps, span(status));
    if (facts != NULL && *facts != '\0') {
        text_put(steps, ",");
        text_put(steps, facts);
    }
    text_put(steps, "}");
}

void report_error(report_t *report, size_t line, rmedia_error_t error, const char *facts) {
    text_t told = {0};
    text_put(&told, "\"error\":");
    text_put(&told, rmedia_error_json(error));
    if (facts != NULL) {
        text_put(&told, ",");
        text_put(&told, facts);
    }
    report_step(report, line, rmedia_status_name(rmedia_error_status(error)), told.data);
    text_free(&told);
    rmedia_error_release(error);
}

/* Appends to the output's file. */
static void raw(const report_t *report, const char *output, const char *data, size_t size) {
    text_t path = {0};
    text_put(&path, report->out);
    text_put(&path, "/");
    for (; *output != '\0'; output++)
        text_add(&path, *output == '/' ? "_" : output, 1);
    text_put(&path, ".raw");
    FILE *file = fopen(path.data, "ab");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        die("%s can't be written", path.data);
    text_free(&path);
}

/* Adds what there is to tell of the payload. */
static void payload(report_t *report, const char *output, rmedia_packet_t packet,
                    const rmedia_packet_info_t *info) {
    text_t *packets = &report->packets, bytes = {0};
    rmedia_string_t json;
    switch (info->kind) {
    case RMEDIA_KIND_AUDIO:
        text_format(packets,
                    ",\"frames\":%zu,\"rate\":%" PRIu32 ",\"channels\":%" PRIu32
                    ",\"sample\":\"%s\",\"planar\":%s",
                    info->frames, info->rate, info->channels, SAMPLES[info->format],
                    info->flags & RMEDIA_PACKET_PLANAR ? "true" : "false");
        audio_interleaved(info, &bytes);
        raw(report, output, bytes.data, bytes.size);
        text_free(&bytes);
        break;
    case RMEDIA_KIND_TEXT:
        text_put(packets, ",\"value\":");
        text_quote(packets, (span_t){info->data, info->size});
        break;
    case RMEDIA_KIND_JSON:
    case RMEDIA_KIND_RECORD:
        if (rmedia_packet_json(packet, &json) != RMEDIA_OK)
            die("a packet of JSON gives none");
        text_put(packets, ",\"value\":");
        text_add(packets, rmedia_string_data(json), rmedia_string_size(json));
        rmedia_string_release(json);
        break;
    case RMEDIA_KIND_BYTES:
        text_format(packets, ",\"bytes\":%zu", info->size);
        raw(report, output, info->data, info->size);
        break;
    default: break;
    }
}

void report_packet(report_t *report, size_t line, const char *output, rmedia_packet_t packet) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    if (rmedia_packet_view(packet, &info) != RMEDIA_OK)
        die("a packet that was pulled is none");
    text_t *packets = &report->packets;
    text_format(packets, "%s{\"line\":%zu,\"output\":", packets->size > 0 ? "," : "", line);
    text_quote(packets, span(output));
    text_format(packets, ",\"kind\":\"%s\",\"pts_ns\":", KINDS[info.kind]);
    if (info.flags & RMEDIA_PACKET_PTS)
        text_format(packets, "%" PRId64, info.pts_ns);
    else
        text_put(packets, "null");
    text_put(packets, ",\"discont\":");
    text_put(packets, info.flags & RMEDIA_PACKET_DISCONT ? "true" : "false");
    payload(report, output, packet, &info);
    text_put(packets, "}");
    rmedia_packet_release(packet);
}

void report_print(const report_t *report, rmedia_pipeline_t pipeline) {
    printf("{\"steps\":[%s],\"packets\":[%s]", report->steps.size ? report->steps.data : "",
           report->packets.size ? report->packets.data : "");
    if (pipeline.id != 0) {
        rmedia_string_t text;
        const char *comma = "";
        printf(",\"events\":[");
        for (; rmedia_pipeline_next_event(pipeline, &text) == RMEDIA_OK; comma = ",") {
            printf("%s%s", comma, rmedia_string_data(text));
            rmedia_string_release(text);
        }
        int32_t state;
        if (rmedia_pipeline_metrics(pipeline, &text) != RMEDIA_OK ||
            rmedia_pipeline_state(pipeline, &state) != RMEDIA_OK)
            die("the pipeline tells nothing about itself");
        printf("],\"metrics\":%s,\"state\":\"%s\"", rmedia_string_data(text), STATES[state]);
        rmedia_string_release(text);
    }
    printf("}\n");
}
