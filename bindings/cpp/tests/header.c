/* rmedia.h by itself, in C: included twice, every constant of use, every struct begun. */

#include <rmedia.h>
#include <rmedia.h>

#include <stdio.h>
#include <string.h>

static int passed, failed;

static void test(const char *sentence, int holds) {
    ++*(holds ? &passed : &failed);
    printf("test %s ... %s\n", sentence, holds ? "ok" : "FAILED");
}

/* No layout depends on how a compiler sees enums. */
#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L && UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(rmedia_packet_t) == 8, "a handle is a number of 64 bits");
_Static_assert(sizeof(rmedia_packet_info_t) == 120, "the size of a packet's info");
_Static_assert(sizeof(rmedia_job_info_t) == 56, "the size of a job's info");
_Static_assert(sizeof(rmedia_pipeline_options_t) == 16, "the size of the options");
_Static_assert(sizeof(rmedia_node_type_t) == 80, "the size of a node type");
#endif

int main(void) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    rmedia_engine_options_t engine_options = RMEDIA_ENGINE_OPTIONS_INIT;
    rmedia_pipeline_options_t options = RMEDIA_PIPELINE_OPTIONS_INIT;
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    rmedia_engine_t engine = RMEDIA_DEFAULT_ENGINE;
    rmedia_pipeline_t pipeline = {0};
    rmedia_packet_t packet = {0};
    rmedia_error_t error = {0};
    float samples[480] = {0};
    uint32_t from = 0;
    int32_t status;

    test("the library is the one that the header is for",
         rmedia_abi_version() == (uint32_t)RMEDIA_ABI_VERSION);
    test("structs begin with their size and zeros",
         info.struct_size == sizeof info && info.kind == 0 &&
             engine_options.struct_size == sizeof engine_options && type.process == NULL &&
             job.struct_size == sizeof job && engine.id == 0);

    options.flags |= RMEDIA_PIPELINE_UNTRUSTED;
    status = rmedia_pipeline_create("{\"version\": \"v1\", \"nodes\": [{\"id\": \"a\", \"node_type\": "
                                    "\"PassThrough\"}]}",
                                    &options, &pipeline, &error);
    test("a pipeline is made from text", status == RMEDIA_OK && pipeline.id != 0 && error.id == 0);
    status = rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 480, 48000, 1, &error);
    test("samples are pushed", status == RMEDIA_OK);
    status = rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_FOREVER, &packet, &from, &error);
    test("a packet is pulled", status == RMEDIA_OK && from == 0);
    test("a packet is looked into", rmedia_packet_view(packet, &info) == RMEDIA_OK &&
                                        info.kind == RMEDIA_KIND_AUDIO && info.frames == 480 &&
                                        info.rate == 48000);
    test("a packet is released once", rmedia_packet_release(packet) == RMEDIA_OK &&
                                          rmedia_packet_release(packet) == RMEDIA_E_BAD_HANDLE);
    rmedia_pipeline_destroy(pipeline);
    status = rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error);
    test("a handle that is no more is refused",
         status == RMEDIA_E_BAD_HANDLE && rmedia_error_status(error) == status &&
             strcmp(rmedia_status_name(status), "BadHandle") == 0);
    rmedia_error_release(error);

    printf("test result: %s. %d passed; %d failed; 0 ignored\n", failed ? "FAILED" : "ok", passed,
           failed);
    return failed != 0;
}
