/* Misuse of values: handles, pointers, structs, numbers, texts, jobs. Each case has one right answer
 * and never a crash. */
#include "calls.h"

#include <stdint.h>

/* Handles */

static void zero_handles(void) {
    handles zero = {{0}}, live = handles_make();
    for (size_t n = 0; n < CALL_COUNT; n++) {
        if (CALLS[n].about == ENGINE) continue;
        handles with = live;
        with.id[CALLS[n].about] = 0;
        CHECK_CASE(CALLS[n].name, CALLS[n].run(&with),
                   CALLS[n].zero_is_fine ? RMEDIA_OK : RMEDIA_E_BAD_HANDLE);
    }
    CHECK_IS(rmedia_engine_destroy(DEFAULT_ENGINE), RMEDIA_OK);
    CHECK_IS(call_engine_nodes(&zero), RMEDIA_OK);
    handles_end(&live);
}

static void good_handles(void) {
    handles live = handles_make();
    for (size_t n = 0; n < CALL_COUNT; n++) {
        bool gone = strcmp(CALLS[n].name, "rmedia_job_fail") == 0;
        int32_t status = CALLS[n].run(&live);
        if (strcmp(CALLS[n].name, "rmedia_pipeline_pull") == 0) CHECK(status >= 0);
        else CHECK_CASE(CALLS[n].name, status, gone ? RMEDIA_E_BAD_HANDLE : RMEDIA_OK);
    }
}

static void released_handles(void) {
    handles live = handles_make(), stale = handles_make();
    handles_end(&stale);
    for (size_t n = 0; n < CALL_COUNT; n++) {
        handles with = live;
        with.id[CALLS[n].about] = stale.id[CALLS[n].about];
        CHECK_CASE(CALLS[n].name, CALLS[n].run(&with), RMEDIA_E_BAD_HANDLE);
    }
    handles_end(&live);
}

static void other_kinds(void) {
    handles live = handles_make();
    for (size_t n = 0; n < CALL_COUNT; n++) {
        for (int other = 0; other < KINDS; other++) {
            if (other == (int)CALLS[n].about) continue;
            handles with = live;
            with.id[CALLS[n].about] = live.id[other];
            CHECK_CASE(CALLS[n].name, CALLS[n].run(&with), RMEDIA_E_BAD_HANDLE);
        }
    }
    handles_end(&live);
}

static void random_bits(void) {
    handles live = handles_make();
    uint64_t state = 0x9E3779B97F4A7C15u;
    for (int round = 0; round < 64 + check_times(336); round++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        for (size_t n = 0; n < CALL_COUNT; n++) {
            handles with = live;
            uint64_t id = live.id[CALLS[n].about];
            /* Every bit of the right one flipped once, then anything. */
            id = round < 64 ? id ^ (uint64_t)1 << round : state + n;
            if (id == live.id[CALLS[n].about]) continue;
            with.id[CALLS[n].about] = id;
            CHECK_CASE(CALLS[n].name, CALLS[n].run(&with), RMEDIA_E_BAD_HANDLE);
        }
    }
    handles_end(&live);
}

static void shares(void) {
    /* Each handle is released once, in any order; a second release takes nobody else's. */
    enum { MANY = 100000 };
    static rmedia_packet_t shared[MANY];
    rmedia_packet_t packet = audio_packet(8);
    int many = check_times(MANY);
    for (int n = 0; n < many; n++) {
        CHECK_IS(rmedia_packet_share(packet, &shared[n]), RMEDIA_OK);
        CHECK(shared[n].id != packet.id);
    }
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_packet_share(packet, &packet), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(packet.id, 0);
    for (int n = 0; n < many; n++) {
        CHECK_IS(rmedia_packet_release(shared[n]), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(shared[n]), RMEDIA_E_BAD_HANDLE);
    }
}

static void stale_forever(void) {
    /* The slot is used again many times; the old handle never becomes good again. */
    rmedia_packet_t old = audio_packet(8);
    rmedia_packet_release(old);
    for (int n = 0; n < check_times(20000); n++) {
        rmedia_packet_t packet = audio_packet(8);
        CHECK(packet.id != old.id);
        CHECK_IS(share(old).id, 0);
        rmedia_packet_release(packet);
    }
}

/* Pointers */

static int32_t with_error(int32_t status, rmedia_error_t error, const char *detail) {
    CHECK(check_detail(error, detail));
    return status;
}

static void null_pointers(void) {
    handles live = handles_make();
    rmedia_pipeline_t pipeline = PIPELINE_OF(&live), made = {0};
    rmedia_packet_t packet = PACKET_OF(&live), part = {0};
    rmedia_engine_t engine = ENGINE_OF(&live);
    rmedia_string_t string = {0};
    rmedia_error_t error = {0};
    rmedia_packet_info_t info = audio_info(8);
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    uint32_t index;
    int32_t wrong = RMEDIA_E_INVALID_ARGUMENT;

    CHECK_IS(rmedia_has_feature(NULL), 0);
    CHECK_IS(rmedia_live(NULL), wrong);

    CHECK_IS(rmedia_pipeline_create(NULL, NULL, &made, NULL), wrong);
    CHECK_IS(with_error(rmedia_pipeline_create(NULL, NULL, &made, &error), error, "argument.null"),
             wrong);
    CHECK_IS(rmedia_pipeline_create(PASS, NULL, NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_create(PASS, NULL, &made, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_destroy(made), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_create_from_file(NULL, NULL, &made, NULL), wrong);
    CHECK_IS(made.id, 0);
    CHECK_IS(rmedia_pipeline_create_from_file("none.json", NULL, NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_create_from_file("none.json", NULL, &made, NULL), RMEDIA_E_IO);

    CHECK_IS(rmedia_pipeline_input(pipeline, NULL, &index, NULL), wrong);
    CHECK_IS(rmedia_pipeline_input(pipeline, "pass", NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_output(pipeline, NULL, &index, NULL), wrong);
    CHECK_IS(rmedia_pipeline_output(pipeline, "pass", NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_input(pipeline, "none", &index, NULL), RMEDIA_E_NOT_FOUND);
    CHECK_IS(rmedia_pipeline_input_name(pipeline, 0, NULL), wrong);
    CHECK_IS(rmedia_pipeline_output_name(pipeline, 0, NULL), wrong);
    CHECK_IS(rmedia_pipeline_describe(pipeline, NULL), wrong);
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, NULL, 8, 48000, 1, NULL), wrong);
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, NULL, 0, 48000, 1, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, NULL, NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &part, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_state(pipeline, NULL), wrong);
    CHECK_IS(rmedia_pipeline_set_params(pipeline, NULL, "{}", RMEDIA_NO_TIME, NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_set_params(pipeline, "pass", NULL, RMEDIA_NO_TIME, NULL, NULL), wrong);
    CHECK_IS(rmedia_pipeline_set_params(pipeline, "pass", "{}", RMEDIA_NO_TIME, NULL, NULL),
             RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_next_event(pipeline, NULL), wrong);
    CHECK_IS(rmedia_pipeline_metrics(pipeline, NULL), wrong);
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, NULL), wrong);

    CHECK_IS(rmedia_packet_create(NULL, &part, NULL), wrong);
    CHECK_IS(rmedia_packet_create(&info, NULL, NULL), wrong);
    CHECK_IS(rmedia_packet_create(&info, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(rmedia_packet_wrap(NULL, 0, NULL, NULL, &part, NULL), wrong);
    CHECK_IS(rmedia_packet_wrap(&info, 0, NULL, NULL, &part, NULL), wrong);
    info.data = &index;
    info.frames = 1;
    CHECK_IS(rmedia_packet_wrap(&info, 0, NULL, NULL, NULL, NULL), wrong);
    CHECK_IS(rmedia_packet_wrap(&info, 0, NULL, NULL, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(rmedia_packet_view(packet, NULL), wrong);
    CHECK_IS(rmedia_packet_data(packet, NULL), wrong);
    CHECK_IS(rmedia_packet_slice(packet, 0, 1, NULL, NULL), wrong);
    CHECK_IS(rmedia_packet_json(packet, NULL), wrong);
    info = info_of(RMEDIA_KIND_TENSOR);
    info.rank = 2;
    CHECK_IS(rmedia_packet_create(&info, &part, NULL), wrong);
    info = info_of(RMEDIA_KIND_ENCODED);
    CHECK_IS(rmedia_packet_create(&info, &part, NULL), wrong);
    info = info_of(RMEDIA_KIND_TEXT);
    info.size = 3;
    CHECK_IS(rmedia_packet_create(&info, &part, NULL), wrong);
    info.size = RMEDIA_NUL_TERMINATED;
    CHECK_IS(rmedia_packet_create(&info, &part, NULL), wrong);

    CHECK_IS(rmedia_engine_create(NULL, NULL, NULL), wrong);
    CHECK_IS(rmedia_engine_nodes(engine, NULL), wrong);
    CHECK_IS(rmedia_engine_validate(engine, NULL, &string, NULL), wrong);
    CHECK_IS(rmedia_engine_validate(engine, PASS, NULL, NULL), wrong);
    CHECK_IS(rmedia_engine_next_log(engine, NULL), wrong);
    CHECK_IS(rmedia_engine_run_releases(engine, 1, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_engine_wait_handle(engine, NULL), wrong);
    CHECK_IS(rmedia_engine_next_ready(engine, NULL, NULL), wrong);
    made.id = 1;
    CHECK_IS(rmedia_engine_next_ready(engine, &made, NULL), RMEDIA_EMPTY);
    CHECK_IS(made.id, 0);
    CHECK_IS(rmedia_engine_add_node(engine, NULL, NULL), wrong);
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), wrong);
    type.process = call_process;
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), wrong);
    CHECK_IS(rmedia_engine_add_host_node(engine, NULL, NULL), wrong);
    CHECK_IS(rmedia_engine_next_job(engine, RMEDIA_TRY, NULL, NULL), wrong);
    CHECK_IS(rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL), RMEDIA_EMPTY);
    CHECK_IS(rmedia_job_fail(JOB_OF(&live), NULL), wrong);
    CHECK_IS(rmedia_job_done(JOB_OF(&live)), RMEDIA_OK);
    handles_end(&live);
}

/** An id that is nobody's, left where a call is to write one. */
#define JUNK 0x5555u

static void outputs_of_failures(void) {
    rmedia_engine_t bad = {JUNK}, engine = {JUNK};
    rmedia_pipeline_t none = {0}, pipeline = {JUNK};
    rmedia_packet_t packet = {JUNK}, audio = audio_packet(8);
    rmedia_packet_info_t info = info_of(99);
    rmedia_engine_options_t options = RMEDIA_ENGINE_OPTIONS_INIT;
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    options.flags = 1;
    job.job.id = job.packet.id = JUNK;

    CHECK(rmedia_pipeline_create("{", NULL, &pipeline, NULL) < 0 && pipeline.id == 0);
    pipeline.id = JUNK;
    CHECK(rmedia_pipeline_create_from_file("none", NULL, &pipeline, NULL) < 0 && pipeline.id == 0);
    CHECK(rmedia_engine_create(&options, &engine, NULL) < 0 && engine.id == 0);
    CHECK(rmedia_packet_create(&info, &packet, NULL) < 0 && packet.id == 0);
    packet.id = JUNK;
    CHECK(rmedia_packet_wrap(&info, 0, NULL, NULL, &packet, NULL) < 0 && packet.id == 0);
    packet.id = JUNK;
    CHECK(rmedia_packet_slice(audio, 9, 9, &packet, NULL) < 0 && packet.id == 0);
    packet.id = JUNK;
    CHECK(rmedia_pipeline_pull(none, 0, RMEDIA_TRY, &packet, NULL, NULL) < 0 && packet.id == 0);

#define TEXT_OF_FAILURE(name, ...) \
    do { \
        rmedia_string_t text = {JUNK}; \
        CHECK(name(__VA_ARGS__) < 0); \
        CHECK_CASE("the text of a failed " #name, text.id, 0); \
    } while (0)
    TEXT_OF_FAILURE(rmedia_packet_json, audio, &text);
    TEXT_OF_FAILURE(rmedia_pipeline_next_event, none, &text);
    TEXT_OF_FAILURE(rmedia_engine_next_log, bad, &text);
    TEXT_OF_FAILURE(rmedia_pipeline_input_name, none, 0, &text);
    TEXT_OF_FAILURE(rmedia_pipeline_output_name, none, 0, &text);
    TEXT_OF_FAILURE(rmedia_pipeline_describe, none, &text);
    TEXT_OF_FAILURE(rmedia_pipeline_metrics, none, &text);
    TEXT_OF_FAILURE(rmedia_engine_nodes, bad, &text);
    TEXT_OF_FAILURE(rmedia_engine_validate, DEFAULT_ENGINE, "{", &text, NULL);
    TEXT_OF_FAILURE(rmedia_engine_validate, bad, PASS, &text, NULL);

    CHECK(rmedia_engine_next_job(bad, RMEDIA_TRY, &job, NULL) < 0);
    CHECK_CASE("the job of a failed rmedia_engine_next_job", job.job.id, 0);
    CHECK_CASE("the packet of a failed rmedia_engine_next_job", job.packet.id, 0);
    rmedia_packet_release(audio);
}

static void errors_of_success(void) {
    rmedia_error_t error = {JUNK};
    rmedia_packet_t packet = audio_packet(8);
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, &error), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, &error), RMEDIA_OK);
    rmedia_packet_release(packet);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, &error),
             RMEDIA_NEED_INPUT);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, &error), RMEDIA_OK);
    CHECK_IS(error.id, JUNK);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error), RMEDIA_E_CLOSED);
    CHECK_IS(rmedia_error_status(error), RMEDIA_E_CLOSED);
    CHECK(check_detail(error, "state.closed"));
    rmedia_pipeline_destroy(pipeline);
}

/* Structs */

typedef union sized {
    uint32_t struct_size;
    rmedia_engine_options_t engine_options;
    rmedia_pipeline_options_t pipeline_options;
    rmedia_packet_info_t info;
    rmedia_node_type_t type;
    rmedia_job_info_t job;
    unsigned char bytes[8192];
} sized;

static int32_t try_engine_options(sized *s) {
    rmedia_engine_t engine = {0};
    int32_t status = rmedia_engine_create(&s->engine_options, &engine, NULL);
    rmedia_engine_destroy(engine);
    return status;
}
static int32_t try_pipeline_options(sized *s) {
    rmedia_pipeline_t pipeline = {0};
    int32_t status = rmedia_pipeline_create(PASS, &s->pipeline_options, &pipeline, NULL);
    rmedia_pipeline_destroy(pipeline);
    return status;
}
static int32_t try_create(sized *s) {
    rmedia_packet_t packet = {0};
    int32_t status = rmedia_packet_create(&s->info, &packet, NULL);
    rmedia_packet_release(packet);
    return status;
}
static int32_t try_wrap(sized *s) {
    static wrapped memory;
    rmedia_packet_t packet = {0};
    atomic_store(&memory.releases, 0);
    if (s->struct_size >= sizeof s->info) s->info.data = memory.samples;
    int32_t status = rmedia_packet_wrap(&s->info, 0, wrapped_release, &memory, &packet, NULL);
    CHECK_IS(atomic_load(&memory.releases), 0);
    rmedia_packet_release(packet);
    CHECK_IS(atomic_load(&memory.releases), status == RMEDIA_OK ? 1 : 0);
    return status;
}
static int32_t try_type(sized *s) {
    rmedia_engine_t engine = engine_make();
    if (s->struct_size >= sizeof s->type) {
        s->type.declaration = DECLARATION("");
        s->type.process = call_process;
    }
    int32_t status = rmedia_engine_add_node(engine, &s->type, NULL);
    rmedia_engine_destroy(engine);
    return status;
}
static int32_t try_job(sized *s) {
    int32_t status = rmedia_engine_next_job(DEFAULT_ENGINE, RMEDIA_TRY, &s->job, NULL);
    return status == RMEDIA_EMPTY ? RMEDIA_OK : status;
}
static int32_t try_view(sized *s) {
    rmedia_packet_t packet = audio_packet(8);
    uint32_t size = s->struct_size;
    int32_t status = rmedia_packet_view(packet, &s->info);
    CHECK_IS(s->struct_size, size);
    if (status == RMEDIA_OK) {
        CHECK_IS(s->info.frames, 8);
        for (size_t n = sizeof s->info; n < size; n++) CHECK_IS(s->bytes[n], 0);
    }
    /* Nothing is written beyond what the struct says. */
    for (size_t n = size < 4096 ? size : 4; n < sizeof s->bytes; n++) {
        if (n >= sizeof s->info && s->bytes[n] != 0xAA) check_failed(__FILE__, __LINE__, "written");
    }
    rmedia_packet_release(packet);
    return status;
}

static void struct_case(const char *name, size_t first, int32_t (*run)(sized *), uint32_t size,
                        unsigned char tail, int32_t expected) {
    static sized s;
    bool view = run == try_view, packet = view || run == try_create || run == try_wrap;
    memset(&s, 0, sizeof s);
    if (packet && !view) s.info = audio_info(8);
    memset(s.bytes + first, view ? 0xAA : 0, sizeof s.bytes - first);
    if (tail != 0) s.bytes[first + 7] = tail;
    s.struct_size = size;
    char text[128];
    snprintf(text, sizeof text, "%s with struct_size %u, tail %d", name, size, tail);
    CHECK_CASE(text, run(&s), expected);
}

static void struct_sizes(void) {
    static const struct {
        const char *name;
        size_t size;
        int32_t (*run)(sized *);
    } rows[] = {
        {"engine_options", sizeof(rmedia_engine_options_t), try_engine_options},
        {"pipeline_options", sizeof(rmedia_pipeline_options_t), try_pipeline_options},
        {"packet_info of create", sizeof(rmedia_packet_info_t), try_create},
        {"packet_info of wrap", sizeof(rmedia_packet_info_t), try_wrap},
        {"packet_info of view", sizeof(rmedia_packet_info_t), try_view},
        {"node_type", sizeof(rmedia_node_type_t), try_type},
        {"job_info", sizeof(rmedia_job_info_t), try_job},
    };
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        uint32_t size = (uint32_t)rows[n].size;
        int32_t wrong = RMEDIA_E_INVALID_ARGUMENT;
        /* What is only written has no tail that could be set. */
        bool written = rows[n].run == try_view || rows[n].run == try_job;
        int32_t tail = written ? RMEDIA_OK : RMEDIA_E_UNSUPPORTED;
        struct_case(rows[n].name, size, rows[n].run, 0, 0, wrong);
        struct_case(rows[n].name, size, rows[n].run, 3, 0, wrong);
        struct_case(rows[n].name, size, rows[n].run, size - 1, 0, wrong);
        struct_case(rows[n].name, size, rows[n].run, size, 0, RMEDIA_OK);
        struct_case(rows[n].name, size, rows[n].run, size, rows[n].run == try_view ? 0 : 7,
                    RMEDIA_OK);
        struct_case(rows[n].name, size, rows[n].run, size + 8, 0, RMEDIA_OK);
        struct_case(rows[n].name, size, rows[n].run, size + 8, rows[n].run == try_view ? 0 : 7,
                    tail);
        struct_case(rows[n].name, size, rows[n].run, 1u << 31, 0, wrong);
        struct_case(rows[n].name, size, rows[n].run, UINT32_MAX, 0, wrong);
    }
}

/* Numbers and texts */

static int32_t made(rmedia_packet_info_t info) {
    rmedia_packet_t packet = {0};
    int32_t status = rmedia_packet_create(&info, &packet, NULL);
    CHECK((status == RMEDIA_OK) == (packet.id != 0));
    rmedia_packet_release(packet);
    return status;
}

static int32_t wrapped_so(rmedia_packet_info_t info, uint32_t mode) {
    static wrapped memory;
    rmedia_packet_t packet = {0};
    atomic_store(&memory.releases, 0);
    if (info.data == NULL) info.data = memory.samples;
    int32_t status = rmedia_packet_wrap(&info, mode, wrapped_release, &memory, &packet, NULL);
    CHECK_IS(atomic_load(&memory.releases), 0);
    rmedia_packet_release(packet);
    rmedia_engine_run_releases(DEFAULT_ENGINE, 10, NULL);
    CHECK_IS(atomic_load(&memory.releases), status == RMEDIA_OK ? 1 : 0);
    return status;
}

static void unknown_values(void) {
    int32_t wrong = RMEDIA_E_INVALID_ARGUMENT;
    rmedia_packet_info_t info;
    for (uint32_t kind = 10; kind != 0; kind = kind > 1u << 30 ? 0 : kind * 3) {
        CHECK_IS(made(info_of(kind)), wrong);
        CHECK_IS(wrapped_so(info_of(kind), 0), wrong);
    }
    CHECK_IS(made(info_of(0)), wrong);
    CHECK_IS(made(info_of(RMEDIA_KIND_RECORD)), RMEDIA_E_FORMAT);
    static const uint32_t formats[] = {9, 255, 1u << 31, UINT32_MAX};
    for (size_t n = 0; n < sizeof formats / sizeof formats[0]; n++) {
        info = audio_info(8);
        info.format = formats[n];
        CHECK_CASE("audio of an unknown format", made(info), wrong);
        CHECK_CASE("audio of an unknown format, wrapped", wrapped_so(info, 0), wrong);
        info = info_of(RMEDIA_KIND_VIDEO);
        info.width = info.height = 2;
        info.format = formats[n];
        CHECK_CASE("video of an unknown format", made(info), wrong);
        info = info_of(RMEDIA_KIND_TENSOR);
        info.format = formats[n];
        CHECK_CASE("a tensor of an unknown type", made(info), wrong);
        CHECK_CASE("a tensor of an unknown type, wrapped", wrapped_so(info, 0), wrong);
    }
    for (int bit = 5; bit < 32; bit++) {
        info = audio_info(8);
        info.flags = (uint32_t)1 << bit;
        CHECK_IS(made(info), RMEDIA_E_UNSUPPORTED);
        CHECK_IS(wrapped_so(info, 0), RMEDIA_E_UNSUPPORTED);
    }
    CHECK_IS(wrapped_so(audio_info(8), RMEDIA_RELEASE_DEFERRED), RMEDIA_OK);
    CHECK_IS(wrapped_so(audio_info(8), 2), wrong);
    CHECK_IS(wrapped_so(audio_info(8), UINT32_MAX), wrong);

    rmedia_engine_t engine = {0};
    rmedia_engine_options_t options = RMEDIA_ENGINE_OPTIONS_INIT;
    rmedia_pipeline_options_t how = RMEDIA_PIPELINE_OPTIONS_INIT;
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    rmedia_pipeline_t pipeline = {0};
    for (int bit = 0; bit < 32; bit++) {
        options.flags = how.flags = type.flags = (uint32_t)1 << bit;
        CHECK_IS(rmedia_engine_create(&options, &engine, NULL), RMEDIA_E_UNSUPPORTED);
        CHECK_IS(rmedia_engine_add_node(DEFAULT_ENGINE, &type, NULL), RMEDIA_E_UNSUPPORTED);
        if (bit == 0) continue;
        CHECK_IS(rmedia_pipeline_create(PASS, &how, &pipeline, NULL), RMEDIA_E_UNSUPPORTED);
    }
    static const int32_t unknown[] = {-19, 11, INT32_MIN, INT32_MAX};
    for (int n = 0; n < 4; n++) CHECK(strcmp(rmedia_status_name(unknown[n]), "Unknown") == 0);
}

static void wrap_refusals(void) {
    static float samples[8];
    int32_t format = RMEDIA_E_FORMAT, unsupported = RMEDIA_E_UNSUPPORTED;
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_TEXT);
    info.size = 3;
    CHECK_CASE("wrapped text", wrapped_so(info, 0), unsupported);
    info.kind = RMEDIA_KIND_JSON;
    CHECK_CASE("wrapped json", wrapped_so(info, 0), unsupported);
    info.kind = RMEDIA_KIND_FILE;
    CHECK_CASE("a wrapped file", wrapped_so(info, 0), unsupported);
    info = audio_info(1);
    info.data = (char *)samples + 1;
    CHECK_CASE("samples that are not aligned", wrapped_so(info, 0), format);
    info.frames = 0;
    int32_t status = wrapped_so(info, 0);
    CHECK(status == RMEDIA_OK || status == format);
    status = wrapped_so(info, RMEDIA_RELEASE_DEFERRED);
    CHECK(status == RMEDIA_OK || status == format);
    info = audio_info(2);
    info.size = 7;
    CHECK_IS(wrapped_so(info, 0), format);
    info = audio_info(2);
    info.channels = 2;
    info.flags = RMEDIA_PACKET_PLANAR;
    info.stride = 64;
    CHECK_CASE("planes that lie apart", wrapped_so(info, 0), unsupported);
    info.stride = 8;
    CHECK_IS(wrapped_so(info, 0), RMEDIA_OK);
    info = audio_info(2);
    info.engine.id = JUNK;
    CHECK_IS(wrapped_so(info, 0), RMEDIA_E_BAD_HANDLE);
    info = info_of(RMEDIA_KIND_ENCODED);
    info.size = 4;
    CHECK_CASE("wrapped, without a codec", wrapped_so(info, 0), RMEDIA_E_INVALID_ARGUMENT);
    info.codec = "\xff";
    CHECK_CASE("wrapped, a codec that is no text", wrapped_so(info, 0), RMEDIA_E_INVALID_ARGUMENT);
    info.codec = "opus";
    CHECK_IS(wrapped_so(info, 0), RMEDIA_OK);
    static const size_t shape[2] = {SIZE_MAX / 2, 3};
    info = info_of(RMEDIA_KIND_TENSOR);
    info.rank = 2;
    info.shape = shape;
    CHECK_CASE("a wrapped tensor without end", wrapped_so(info, 0), format);
}

static void overflows(void) {
    static const size_t sizes[] = {SIZE_MAX,     SIZE_MAX - 1,     SIZE_MAX / 2,  SIZE_MAX / 2 + 1,
                                   SIZE_MAX / 4, SIZE_MAX / 4 + 1, SIZE_MAX / 8,  SIZE_MAX / 16,
                                   SIZE_MAX - 63, SIZE_MAX / 2 - 62, (size_t)1 << 48};
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    rmedia_engine_options_t options = RMEDIA_ENGINE_OPTIONS_INIT;
    rmedia_engine_t boundless = {0};
    options.memory_limit = UINT64_MAX;
    CHECK_IS(rmedia_engine_create(&options, &boundless, NULL), RMEDIA_OK);
    rmedia_pipeline_t boundless_pipeline = pipeline_on(boundless, PASS);
    const float sample[1] = {0};
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        char text[96];
        snprintf(text, sizeof text, "size %zx", sizes[n]);
        rmedia_packet_info_t info = info_of(RMEDIA_KIND_BYTES);
        info.size = sizes[n];
        int32_t status = made(info);
        CHECK_CASE(text, status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT, 1);
        info.engine = boundless;
        status = made(info);
        CHECK_CASE("without a memory limit: LIMIT or FORMAT",
                   status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT ? 1 : status, 1);
        info = audio_info(sizes[n]);
        info.channels = 64;
        status = made(info);
        CHECK_CASE(text, status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT, 1);
        info = info_of(RMEDIA_KIND_TENSOR);
        size_t shape[3] = {sizes[n], sizes[n], 2};
        info.rank = 3;
        info.shape = shape;
        status = made(info);
        CHECK_CASE(text, status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT, 1);
        info = info_of(RMEDIA_KIND_TEXT);
        info.data = "a";
        info.size = sizes[n];
        if (sizes[n] > SIZE_MAX / 2 && sizes[n] != SIZE_MAX) {
            CHECK_CASE(text, made(info), RMEDIA_E_INVALID_ARGUMENT);
        }
        for (uint32_t channels = 1; channels <= 64; channels *= 4) {
            status = rmedia_pipeline_push_f32(pipeline, 0, sample, sizes[n], 48000, channels, NULL);
            snprintf(text, sizeof text, "push_f32 of %zx frames of %u: LIMIT, FORMAT or ARGUMENT",
                     sizes[n], channels);
            bool right = status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT ||
                         status == RMEDIA_E_INVALID_ARGUMENT;
            CHECK_CASE(text, right ? 1 : status, 1);
            status = rmedia_pipeline_push_f32(boundless_pipeline, 0, sample, sizes[n], 48000,
                                              channels, NULL);
            right = status == RMEDIA_E_LIMIT || status == RMEDIA_E_FORMAT ||
                    status == RMEDIA_E_INVALID_ARGUMENT;
            CHECK_CASE(text, right ? 1 : status, 1);
        }
    }
    /* None of this has ended the pipeline. */
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, sample, 1, 48000, 1, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
    rmedia_pipeline_destroy(boundless_pipeline);
    rmedia_engine_destroy(boundless);
}

static void ranges(void) {
    const float sample[1] = {0};
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    static const uint32_t rates[] = {0, 768001, UINT32_MAX}, channels[] = {0, 65, 65536, 65537};
    for (int n = 0; n < 3; n++) {
        CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, sample, 1, rates[n], 1, NULL),
                 RMEDIA_E_FORMAT);
    }
    for (int n = 0; n < 4; n++) {
        CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, sample, 0, 48000, channels[n], NULL),
                 RMEDIA_E_FORMAT);
    }
    rmedia_packet_t packet = audio_packet(480), part = {0};
    static const size_t parts[][2] = {{481, 0}, {480, 1}, {0, 481}, {SIZE_MAX, 1}, {1, SIZE_MAX},
                                      {SIZE_MAX, SIZE_MAX}, {240, SIZE_MAX - 239}};
    for (int n = 0; n < 7; n++) {
        CHECK_IS(rmedia_packet_slice(packet, parts[n][0], parts[n][1], &part, NULL),
                 RMEDIA_E_INVALID_ARGUMENT);
    }
    CHECK_IS(rmedia_packet_slice(packet, 480, 0, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    /* Indices of ports. */
    static const uint32_t ports[] = {1, 2, UINT32_MAX - 1};
    for (int n = 0; n < 3; n++) {
        CHECK_IS(rmedia_pipeline_push(pipeline, ports[n], packet, RMEDIA_TRY, NULL),
                 RMEDIA_E_NOT_FOUND);
        CHECK_IS(rmedia_pipeline_pull(pipeline, ports[n], RMEDIA_TRY, &part, NULL, NULL),
                 RMEDIA_E_NOT_FOUND);
        CHECK_IS(rmedia_pipeline_end(pipeline, ports[n], NULL), RMEDIA_E_NOT_FOUND);
        CHECK_IS(rmedia_pipeline_push_f32(pipeline, ports[n], sample, 1, 48000, 1, NULL),
                 RMEDIA_E_NOT_FOUND);
    }
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    /* Sides of pictures. */
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_VIDEO);
    static const uint32_t sides[] = {0, 65537, UINT32_MAX};
    for (int n = 0; n < 3; n++) {
        info.width = sides[n], info.height = 2;
        CHECK_IS(made(info), RMEDIA_E_FORMAT);
        info.width = 2, info.height = sides[n];
        CHECK_IS(made(info), RMEDIA_E_FORMAT);
    }
    info = info_of(RMEDIA_KIND_TENSOR);
    static const size_t shape[32];
    info.shape = shape;
    info.rank = 17;
    CHECK_IS(made(info), RMEDIA_E_INVALID_ARGUMENT);
    info.rank = UINT32_MAX;
    CHECK_IS(made(info), RMEDIA_E_INVALID_ARGUMENT);
    info.rank = 16;
    CHECK_IS(made(info), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
}

static void times(void) {
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1};
    for (int a = 0; a < 6; a++) {
        for (int b = 0; b < 6; b++) {
            rmedia_pipeline_t pipeline = pipeline_make(GAIN);
            for (int n = 0; n < 2; n++) {
                rmedia_packet_info_t info = audio_info(480);
                info.flags = RMEDIA_PACKET_PTS;
                info.pts_ns = ends[n == 0 ? a : b];
                rmedia_packet_t packet = packet_of(info), part = {0};
                CHECK_IS(rmedia_packet_slice(packet, 400, 80, &part, NULL), RMEDIA_OK);
                rmedia_packet_release(part);
                int32_t status = rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL);
                CHECK(status == RMEDIA_OK || status == RMEDIA_E_LATE);
                if (status != RMEDIA_OK) rmedia_packet_release(packet);
            }
            CHECK(rmedia_pipeline_set_params(pipeline, "gain", "{\"gain_db\": -6}", ends[b], NULL,
                                             NULL) == RMEDIA_OK);
            CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
            CHECK_IS(pull_all(pipeline), RMEDIA_END);
            rmedia_pipeline_destroy(pipeline);
        }
    }
    /* Timeouts: the longest, and those that are none. */
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    static const int32_t waits[] = {INT32_MAX, 1, 0, -1};
    rmedia_packet_t packet = {0};
    for (int n = 0; n < 4; n++) {
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, waits[n], &packet, NULL, NULL),
                 RMEDIA_NEED_INPUT);
    }
    CHECK_IS(rmedia_pipeline_close(pipeline, INT32_MAX, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
}

static void negative_timeouts(void) {
    /* RMEDIA_FOREVER is -1; other negative numbers are a mistake and not for ever. */
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    rmedia_packet_t packet = {0};
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    static const int32_t waits[] = {-2, -1000, INT32_MIN};
    for (int n = 0; n < 3; n++) {
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, waits[n], &packet, NULL, NULL),
                 RMEDIA_E_INVALID_ARGUMENT);
    }
    alarm(5);
    CHECK_IS(rmedia_engine_next_job(DEFAULT_ENGINE, -2, &job, NULL), RMEDIA_E_INVALID_ARGUMENT);
    rmedia_pipeline_destroy(pipeline);
}

static void texts(void) {
    rmedia_pipeline_t pipeline = pipeline_make(GAIN), none = {0};
    rmedia_string_t string = {0};
    rmedia_error_t error = {0};
    rmedia_engine_t engine = engine_make();
    uint32_t index;
    int32_t wrong = RMEDIA_E_INVALID_ARGUMENT;
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                                      "\xc0\x80"};
    for (int n = 0; n < 5; n++) {
        const char *text = bad[n];
        CHECK_IS(rmedia_pipeline_create(text, NULL, &none, &error), wrong);
        CHECK(check_detail(error, "argument.utf8"));
        CHECK_IS(rmedia_pipeline_create_from_file(text, NULL, &none, NULL), wrong);
        CHECK_IS(rmedia_pipeline_input(pipeline, text, &index, NULL), wrong);
        CHECK_IS(rmedia_pipeline_output(pipeline, text, &index, NULL), wrong);
        CHECK_IS(rmedia_pipeline_set_params(pipeline, text, "{}", 0, NULL, NULL), wrong);
        CHECK_IS(rmedia_pipeline_set_params(pipeline, "gain", text, 0, NULL, NULL), wrong);
        CHECK_IS(rmedia_engine_validate(engine, text, &string, NULL), wrong);
        CHECK_IS(rmedia_engine_add_host_node(engine, text, NULL), wrong);
        rmedia_packet_info_t info = info_of(RMEDIA_KIND_TEXT);
        info.data = text;
        info.size = RMEDIA_NUL_TERMINATED;
        CHECK_IS(made(info), wrong);
        info.kind = RMEDIA_KIND_FILE;
        CHECK_IS(made(info), wrong);
        info.kind = RMEDIA_KIND_JSON;
        CHECK_IS(made(info), wrong);
        CHECK_IS(rmedia_has_feature(text), 0);
    }
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_JSON);
    static const char *const json[] = {"", "{", "{\"a\":1}x", "nul", "[1,]", "1e999"};
    for (int n = 0; n < 6; n++) {
        info.data = json[n];
        info.size = RMEDIA_NUL_TERMINATED;
        CHECK_CASE(json[n], made(info), wrong);
    }
    char deep[20001];
    memset(deep, '[', 20000);
    deep[20000] = 0;
    info.data = deep;
    CHECK_CASE("20,000 brackets", made(info), wrong);
    CHECK_IS(rmedia_pipeline_set_params(pipeline, "gain", deep, 0, NULL, NULL), wrong);
    CHECK(rmedia_pipeline_create(deep, NULL, &none, NULL) < 0);
    deep[0] = '{';
    CHECK(rmedia_pipeline_create(deep, NULL, &none, NULL) < 0);
    CHECK_IS(rmedia_engine_add_host_node(engine, deep, NULL), wrong);
    static const char *const params[] = {"[]", "1", "null", "\"a\"", "{\"gain_db\":}", ""};
    for (int n = 0; n < 6; n++) {
        CHECK_IS(rmedia_pipeline_set_params(pipeline, "gain", params[n], 0, NULL, NULL), wrong);
    }
    CHECK_IS(rmedia_pipeline_set_params(pipeline, "none", "{}", 0, NULL, NULL),
             RMEDIA_E_NOT_FOUND);
    /* A path with a zero byte would be another path for the system. */
    info = info_of(RMEDIA_KIND_FILE);
    info.data = "a\0b";
    info.size = 3;
    CHECK_CASE("a path with a zero byte", made(info), wrong);
    rmedia_engine_destroy(engine);
    rmedia_pipeline_destroy(pipeline);
}

/* Times of a pipeline's life */

static int32_t push_audio(rmedia_pipeline_t pipeline, rmedia_error_t *error) {
    wrapped memory = {0};
    rmedia_packet_t packet = wrap(&memory);
    int32_t status = rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, RMEDIA_TRY, error);
    CHECK(status < 0);
    CHECK_IS(atomic_load(&memory.releases), 0);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 1);
    return status;
}

static void push_after(void) {
    rmedia_error_t error = {0};
    rmedia_packet_t packet = {0};
    const float sample[1] = {0};
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    CHECK_IS(push_audio(pipeline, &error), RMEDIA_E_STATE);
    CHECK(check_detail(error, "state.ended"));
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, sample, 1, 48000, 1, NULL), RMEDIA_E_STATE);
    CHECK_IS(pull_all(pipeline), RMEDIA_END);
    CHECK_IS(rmedia_pipeline_rewind(pipeline, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_rewind(pipeline, NULL), RMEDIA_E_STATE);
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, sample, 1, 48000, 1, NULL), RMEDIA_OK);

    CHECK_IS(rmedia_pipeline_close(pipeline, 0, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_close(pipeline, 0, NULL), RMEDIA_OK);
    CHECK_IS(push_audio(pipeline, &error), RMEDIA_E_CLOSED);
    CHECK(check_detail(error, "state.closed"));
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL),
             RMEDIA_E_CLOSED);
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    CHECK_IS(push_audio(pipeline, NULL), RMEDIA_E_CLOSED);
    rmedia_pipeline_destroy(pipeline);

    pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    CHECK_IS(push_audio(pipeline, &error), RMEDIA_E_CANCELLED);
    CHECK(check_detail(error, "state.cancelled"));
    CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_advance(pipeline, NULL), RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_rewind(pipeline, NULL), RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL),
             RMEDIA_E_CANCELLED);
    rmedia_pipeline_destroy(pipeline);
}

static int32_t fail_second(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    atomic_int *count = node;
    (void)port;
    if (atomic_fetch_add(count, 1) == 1) {
        CHECK_IS(rmedia_job_fail(job, "the second is bad"), RMEDIA_OK);
        return -1000;
    }
    return rmedia_job_emit(job, 0, packet, NULL);
}
static atomic_int counted;
static int32_t create_counted(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params;
    *node = &counted;
    return RMEDIA_OK;
}

static void after_failure(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    rmedia_packet_t packet = {0};
    rmedia_error_t error = {0};
    type.declaration = DECLARATION("");
    type.create = create_counted;
    type.process = fail_second;
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    packet = text_packet("b");
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, &error), RMEDIA_E_NODE);
    CHECK(strstr(rmedia_error_message(error), "the second is bad") != NULL);
    CHECK(check_detail(error, "node.failed"));
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(push_audio(pipeline, &error), RMEDIA_E_NODE);
    CHECK(check_detail(error, "node.failed"));
    /* What came before is still there; then the failure, for ever. */
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    for (int n = 0; n < 2; n++) {
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL),
                 RMEDIA_E_NODE);
        CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_E_NODE);
        CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_E_NODE);
        CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_E_NODE);
        CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    }
    int32_t state = -1;
    CHECK_IS(rmedia_pipeline_state(pipeline, &state), RMEDIA_OK);
    CHECK_IS(state, RMEDIA_STATE_FAILED);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

/* Jobs */

static int32_t odd_node(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    rmedia_error_t error = {0};
    rmedia_packet_t own = text_packet("own");
    (void)node;
    CHECK_IS(port, 0);
    CHECK_IS(rmedia_job_emit(job, 1, own, NULL), RMEDIA_E_INVALID_ARGUMENT);
    CHECK_IS(rmedia_job_emit(job, UINT32_MAX, own, &error), RMEDIA_E_INVALID_ARGUMENT);
    CHECK(check_detail(error, "argument.invalid"));
    CHECK_IS(rmedia_job_emit(job, 0, (rmedia_packet_t){0}, NULL), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_emit(job, 0, own, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(job, 0, own, NULL), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_emit(job, 0, packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(job, 0, packet, NULL), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_done(job), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job), RMEDIA_E_STATE);
    own = text_packet("late");
    CHECK_IS(rmedia_job_emit(job, 0, own, NULL), RMEDIA_E_STATE);
    CHECK_IS(rmedia_packet_release(own), RMEDIA_OK);
    CHECK_CASE("fail after done", rmedia_job_fail(job, "late"), RMEDIA_E_STATE);
    return RMEDIA_OK;
}

static rmedia_pipeline_t function_pipeline(rmedia_engine_t engine, const char *declaration,
                                           int32_t (*process)(void *, rmedia_job_t, uint32_t,
                                                              rmedia_packet_t)) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = declaration;
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    return pipeline_on(engine, NODE);
}

static void jobs_of_functions(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = function_pipeline(engine, DECLARATION(""), odd_node);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    rmedia_packet_t packet = {0};
    for (int n = 0; n < 2; n++) {
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
        rmedia_packet_release(packet);
    }
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static rmedia_packet_t kept;
static rmedia_job_t kept_job;

static int32_t share_node(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)job, (void)port;
    return rmedia_packet_share(packet, &kept);
}
static int32_t release_node(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)job, (void)port;
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_E_BAD_HANDLE);
    return RMEDIA_OK;
}
static int32_t keep_and_emit_node(void *node, rmedia_job_t job, uint32_t port,
                                  rmedia_packet_t packet) {
    (void)node, (void)port;
    CHECK_IS(rmedia_packet_share(packet, &kept), RMEDIA_OK);
    return rmedia_job_emit(job, 0, packet, NULL);
}
static int32_t emit_twice_node(void *node, rmedia_job_t job, uint32_t port,
                               rmedia_packet_t packet) {
    (void)node, (void)port;
    rmedia_packet_t shared = share(packet);
    CHECK_IS(rmedia_job_emit(job, 0, packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(job, 0, shared, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(job, 0, packet, NULL), RMEDIA_E_BAD_HANDLE);
    return RMEDIA_OK;
}
static int32_t keep_job_node(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port, (void)packet;
    kept_job = job;
    return RMEDIA_OK;
}
static int32_t in_flight_node(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    kept_job = job;
    kept = packet;
    return RMEDIA_IN_FLIGHT;
}

/** Pushes one wrapped packet through a function node; gives the status of the push. */
static int32_t one_through(int32_t (*process)(void *, rmedia_job_t, uint32_t, rmedia_packet_t),
                           const char *declaration, wrapped *memory, int results,
                           void (*then)(void)) {
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = function_pipeline(engine, declaration, process);
    rmedia_packet_t packet = wrap(memory);
    int32_t status = rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL);
    if (then != NULL) then();
    for (int n = 0; n < results; n++) {
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
        rmedia_packet_release(packet);
    }
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
    return status;
}

static void kept_is_good(void) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    CHECK_IS(rmedia_packet_view(kept, &info), RMEDIA_OK);
    CHECK_IS(info.frames, 480);
    CHECK_IS(rmedia_packet_release(kept), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(kept), RMEDIA_E_BAD_HANDLE);
}

static void lent_packets(void) {
    wrapped memory = {0};
    CHECK_IS(one_through(share_node, DECLARATION(""), &memory, 0, kept_is_good), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 1);
    CHECK_IS(one_through(release_node, DECLARATION(""), &memory, 0, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 2);
    CHECK_IS(one_through(emit_twice_node, DECLARATION(""), &memory, 2, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 3);
}

static void kept_and_emitted(void) {
    wrapped memory = {0};
    CHECK_IS(one_through(keep_and_emit_node, DECLARATION(""), &memory, 1, kept_is_good),
             RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 1);
}

static void job_is_over(void) {
    CHECK_IS(rmedia_job_done(kept_job), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_fail(kept_job, "late"), RMEDIA_E_BAD_HANDLE);
}
static void job_goes_on(void) {
    /* The packet stays lent until the job ends. */
    CHECK_IS(rmedia_packet_release(share(kept)), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(kept_job, 0, kept, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(kept_job), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(kept_job), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_emit(kept_job, 0, kept, NULL), RMEDIA_E_BAD_HANDLE);
}
static void job_fails(void) {
    CHECK_IS(rmedia_job_fail(kept_job, "broken"), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(kept_job), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_packet_release(kept), RMEDIA_E_BAD_HANDLE);
}

static void jobs_in_flight(void) {
    wrapped memory = {0};
    const char *two = DECLARATION(",\"max_in_flight\":2");
    CHECK_IS(one_through(keep_job_node, DECLARATION(""), &memory, 0, job_is_over), RMEDIA_OK);
    CHECK_IS(one_through(in_flight_node, DECLARATION(""), &memory, 0, job_is_over), RMEDIA_E_NODE);
    CHECK_IS(one_through(in_flight_node, two, &memory, 1, job_goes_on), RMEDIA_OK);
    CHECK_IS(one_through(in_flight_node, two, &memory, 0, job_fails), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 4);
    /* A job that outlives its pipeline. */
    CHECK_IS(one_through(in_flight_node, two, &memory, 0, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 4);
    CHECK_IS(rmedia_job_emit(kept_job, 0, text_packet("x"), NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(kept_job), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 5);
}

static void jobs_of_the_queue(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":4"));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    rmedia_packet_t packet = {0};
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    uint32_t from = 99;
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, &from, NULL), RMEDIA_HOST);
    CHECK_IS(from, 0);
    rmedia_job_info_t job = job_take(engine);
    CHECK_IS(job.kind, RMEDIA_JOB_PROCESS);
    CHECK(strcmp(job.node_type, "test/Node") == 0 && strcmp(job.params, "{}") == 0);
    rmedia_packet_t own = text_packet("b");
    CHECK_IS(rmedia_job_emit(job.job, 1, own, NULL), RMEDIA_E_INVALID_ARGUMENT);
    CHECK_IS(rmedia_job_emit(job.job, 0, own, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL),
             RMEDIA_IN_FLIGHT);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_job_fail(job.job, "x"), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_packet_release(job.packet), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
    rmedia_packet_release(packet);
    /* A job that is reset away: its end is no error, its result is nothing. */
    CHECK_IS(push_text(pipeline, "c", RMEDIA_TRY), RMEDIA_OK);
    job = job_take(engine);
    CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_emit(job.job, 0, job.packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    job = job_take(engine);
    CHECK_IS(job.kind, RMEDIA_JOB_RESET);
    CHECK_IS(rmedia_job_emit(job.job, 0, text_packet("lost"), NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    /* A job that fails; then one of a failed pipeline. */
    CHECK_IS(push_text(pipeline, "d", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(push_text(pipeline, "e", RMEDIA_TRY), RMEDIA_OK);
    job = job_take(engine);
    rmedia_job_info_t other = job_take(engine);
    CHECK_IS(rmedia_job_fail(job.job, "\xff"), RMEDIA_E_INVALID_ARGUMENT);
    CHECK_IS(rmedia_job_fail(job.job, "broken"), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_E_NODE);
    CHECK_IS(rmedia_job_done(other.job), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
    job = job_take(engine);
    CHECK_IS(job.kind, RMEDIA_JOB_CLOSE);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    rmedia_engine_destroy(engine);
}

static void jobs_nobody_serves(void) {
    rmedia_engine_t engine = engine_make();
    wrapped memory[8] = {{0}};
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":4"));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    for (int n = 0; n < 8; n++) {
        CHECK_IS(rmedia_pipeline_push(pipeline, 0, wrap(&memory[n]), RMEDIA_TRY, NULL), RMEDIA_OK);
    }
    CHECK_IS(rmedia_pipeline_close(pipeline, 50, NULL), RMEDIA_HOST);
    CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_TRY, NULL), RMEDIA_CUT);
    rmedia_pipeline_destroy(pipeline);
    for (int n = 0; n < 8; n++) CHECK_IS(atomic_load(&memory[n].releases), 1);
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    CHECK_IS(rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL), RMEDIA_EMPTY);
    rmedia_engine_destroy(engine);
}

static void job_after_pipeline(void) {
    rmedia_engine_t engine = engine_make();
    wrapped memory = {0};
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, wrap(&memory), RMEDIA_TRY, NULL), RMEDIA_OK);
    rmedia_job_info_t job = job_take(engine);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
    CHECK_IS(atomic_load(&memory.releases), 0);
    CHECK(strcmp(job.node_type, "test/Node") == 0);
    CHECK_IS(rmedia_job_emit(job.job, 0, job.packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    CHECK_IS(atomic_load(&memory.releases), 1);
}

/* Functions that take things back */

static atomic_int freed, destroyed;
static void count_free(void *user) { atomic_fetch_add((atomic_int *)user, 1); }
static void count_destroy(void *node) {
    CHECK(node == &counted);
    atomic_fetch_add(&destroyed, 1);
}

static void type_is_freed_once(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.user = &freed;
    type.free = count_free;
    type.create = create_counted;
    type.destroy = count_destroy;
    type.process = fail_second;
    /* Refused: the program keeps `user`. */
    type.declaration = "{";
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_E_INVALID_ARGUMENT);
    type.declaration = "{\"name\":\"rmedia/X\",\"inputs\":[{\"name\":\"in\"}]}";
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_E_INVALID_ARGUMENT);
    type.declaration = DECLARATION("");
    type.create = NULL;
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_E_INVALID_ARGUMENT);
    type.create = create_counted;
    CHECK_IS(rmedia_engine_add_node((rmedia_engine_t){JUNK}, &type, NULL), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(atomic_load(&freed), 0);
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_E_INVALID_ARGUMENT);
    CHECK_IS(rmedia_engine_add_host_node(engine, type.declaration, NULL),
             RMEDIA_E_INVALID_ARGUMENT);
    CHECK_IS(atomic_load(&freed), 0);
    rmedia_pipeline_t first = pipeline_on(engine, NODE), second = pipeline_on(engine, NODE);
    rmedia_pipeline_destroy(first);
    CHECK_IS(atomic_load(&destroyed), 1);
    rmedia_engine_destroy(engine);
    CHECK_IS(atomic_load(&freed), 0);
    rmedia_pipeline_destroy(second);
    CHECK_IS(atomic_load(&destroyed), 2);
    CHECK_IS(atomic_load(&freed), 1);
}

static int32_t create_says_no(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)params;
    *node = &counted;
    return rmedia_job_fail(job, "not today") == RMEDIA_OK ? -1 : RMEDIA_OK;
}
static int32_t create_says_both(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)params;
    *node = &counted;
    return rmedia_job_fail(job, "made, but complains");
}

static void create_and_destroy(void) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    rmedia_pipeline_t pipeline = {0};
    rmedia_pipeline_options_t options = RMEDIA_PIPELINE_OPTIONS_INIT;
    rmedia_error_t error = {0};
    type.declaration = DECLARATION("");
    type.destroy = count_destroy;
    type.process = call_process;
    type.create = create_says_no;
    rmedia_engine_t engine = options.engine = engine_make();
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_create(NODE, &options, &pipeline, &error), RMEDIA_E_NODE);
    CHECK(strstr(rmedia_error_message(error), "not today") != NULL);
    CHECK(check_detail(error, "node.failed"));
    CHECK_IS(atomic_load(&destroyed), 0);
    rmedia_engine_destroy(engine);

    /* A node that was made is destroyed when a later one can't be. */
    type.create = create_counted;
    engine = options.engine = engine_make();
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    type.declaration = "{\"name\":\"test/Other\",\"inputs\":[{\"name\":\"in\"}]}";
    type.create = create_says_no;
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    const char *both = "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"test/Node\"},"
                       "{\"id\":\"b\",\"node_type\":\"test/Other\"}],\"connections\":"
                       "[{\"from\":\"a\",\"to\":\"b\"}]}";
    CHECK_IS(rmedia_pipeline_create(both, &options, &pipeline, NULL), RMEDIA_E_NODE);
    CHECK_IS(atomic_load(&destroyed), 1);
    rmedia_engine_destroy(engine);

    /* `create` that returned OK has made a node, whatever it said before. */
    type.declaration = DECLARATION("");
    type.create = create_says_both;
    engine = options.engine = engine_make();
    CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
    rmedia_pipeline_create(NODE, &options, &pipeline, NULL);
    rmedia_pipeline_destroy(pipeline);
    CHECK_CASE("nodes destroyed after a create that failed its job and returned OK",
               atomic_load(&destroyed), 2);
    rmedia_engine_destroy(engine);
}

static void never_called(void *user) {
    (void)user;
    check_failed(__FILE__, __LINE__, "called");
}

static void wakeup_is_freed_once(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS), none = {0};
    atomic_int count = 0;
    CHECK_IS(rmedia_pipeline_set_wakeup(none, never_called, &count, never_called),
             RMEDIA_E_BAD_HANDLE);
    /* Also one that comes without a function. */
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, NULL, &count, count_free), RMEDIA_OK);
    CHECK_IS(atomic_load(&count), 1);
    for (int n = 1; n <= 3; n++) {
        CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, never_called, &count, count_free), RMEDIA_OK);
        CHECK_IS(atomic_load(&count), n);
    }
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, NULL, NULL, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&count), 4);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, never_called, &count, count_free), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(atomic_load(&count), 5);
}

static size_t memory_in_use(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    NEED(file != NULL && fscanf(file, "%*u %zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/** Grows by less than a byte a round, once warm: nothing accumulates. */
#define CHECK_STEADY(what, rounds, limit, ...) \
    do { \
        size_t before_ = 0; \
        for (int n = 0; n < 2 * (rounds); n++) { \
            if (n == (rounds)) before_ = memory_in_use(); \
            __VA_ARGS__; \
        } \
        size_t after_ = memory_in_use(), most_ = before_ + (limit); \
        if (after_ > most_) { \
            fprintf(stderr, "    %zu kB more\n", (after_ - before_) / 1024); \
            check_failed(__FILE__, __LINE__, what " grows without bound"); \
        } \
    } while (0)

static void nothing_grows(void) {
    /* Tools that check memory keep what is freed, and grow by that. */
    if (check_less() > 1) return;
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = pipeline_on(engine, GAIN), passing = pipeline_on(engine, PASS);
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t hosted = pipeline_on(engine, NODE);
    CHECK_STEADY("a type that is refused", 3000, 512 * 1024,
                 rmedia_engine_add_host_node(engine, DECLARATION(""), NULL));
    CHECK_STEADY("events nobody takes", 20000, 512 * 1024, rmedia_pipeline_reset(passing, NULL, NULL));
    CHECK_STEADY("params", 20000, 512 * 1024,
                 rmedia_pipeline_set_params(pipeline, "gain", "{\"gain_db\":1}", RMEDIA_NO_TIME,
                                            NULL, NULL));
    CHECK_STEADY("resets of a host node", 5000, 512 * 1024, {
        push_text(hosted, "a", RMEDIA_TRY);
        rmedia_pipeline_reset(hosted, NULL, NULL);
    });
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    CHECK_STEADY("pipelines with a host node", 2000, 512 * 1024, {
        rmedia_pipeline_t one = pipeline_on(engine, NODE);
        push_text(one, "a", RMEDIA_TRY);
        while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
            rmedia_job_done(job.job);
        }
        rmedia_pipeline_destroy(one);
        while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
            rmedia_job_done(job.job);
        }
    });
    CHECK_STEADY("errors", 20000, 512 * 1024, {
        rmedia_error_t error = {0};
        rmedia_pipeline_end(pipeline, 7, &error);
        rmedia_error_json(error);
        rmedia_error_release(error);
    });
    rmedia_pipeline_destroy(pipeline);
    rmedia_pipeline_destroy(passing);
    rmedia_pipeline_destroy(hosted);
    while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
        rmedia_job_done(job.job);
    }
    rmedia_engine_destroy(engine);
}

static void many_timed_params(void) {
    /* A program that plans half a minute ahead, a change for each picture; and one without end. */
    rmedia_pipeline_t pipeline = pipeline_make(GAIN);
    int32_t status = RMEDIA_OK;
    int taken = 0;
    for (; status == RMEDIA_OK && taken < 100000; taken++) {
        status = rmedia_pipeline_set_params(pipeline, "gain", "{\"gain_db\":1}",
                                            (int64_t)(taken + 1) * 16666667, NULL, NULL);
    }
    CHECK_IS(status, RMEDIA_E_LIMIT);
    CHECK_IS(taken - 1, 4096);
    rmedia_pipeline_destroy(pipeline);
}

static const test TESTS[] = {
    {"every call works on live handles", good_handles},
    {"a handle of zero is bad, but for release and the default engine", zero_handles},
    {"a released handle is bad", released_handles},
    {"a handle of another kind is bad", other_kinds},
    {"random bits are a bad handle", random_bits},
    {"a shared packet has handles that are released once each", shares},
    {"a stale handle never becomes good again", stale_forever},
    {"a null pointer is an error wherever it isn't allowed", null_pointers},
    {"handles that a failed call should have made are zero", outputs_of_failures},
    {"an error is written only by a failure", errors_of_success},
    {"structs of every size are read and written as the rules say", struct_sizes},
    {"unknown values and flags are refused", unknown_values},
    {"what can't be wrapped is refused and never released", wrap_refusals},
    {"sizes that overflow are refused and end nothing", overflows},
    {"numbers out of range are refused", ranges},
    {"times at the ends of their range do no harm", times},
    {"negative timeouts but for -1 are refused", negative_timeouts},
    {"texts that are none are refused", texts},
    {"after the end, close and cancel a push says so and takes nothing", push_after},
    {"after a failure every call gives that failure", after_failure},
    {"a function node's job takes what it should and nothing after its end", jobs_of_functions},
    {"a lent packet may be kept, released and emitted", lent_packets},
    {"a lent packet may be kept and emitted at once", kept_and_emitted},
    {"a job goes on only where its type declares it, and ends once", jobs_in_flight},
    {"a job of the queue ends once, and a reset or failure makes it nothing", jobs_of_the_queue},
    {"jobs that nobody serves go with their pipeline", jobs_nobody_serves},
    {"a job outlives its pipeline and its engine", job_after_pipeline},
    {"a type's user is freed once, and not when the type was refused", type_is_freed_once},
    {"destroy is called once for each create that returned OK", create_and_destroy},
    {"a wakeup's user is freed once", wakeup_is_freed_once},
    {"nothing grows without bound", nothing_grows},
    {"params may be set far ahead, but not without end", many_timed_params},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
