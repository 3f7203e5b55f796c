/* event_loop: one thread in poll() on a pipeline, another that serves a node of the program.
 *
 *     cc event_loop.c $(pkg-config --cflags --libs rmedia) -pthread -o event_loop
 *     ./event_loop */

#include <poll.h>
#include <pthread.h>
#include <rmedia.h>
#include <stdio.h>

static const char *const declaration =
    "{\"name\": \"example/Slow\", \"max_in_flight\": 4,"
    " \"inputs\": [{\"name\": \"in\", \"kinds\": [\"audio\"]}],"
    " \"outputs\": [{\"name\": \"out\", \"kinds\": [\"audio\"], \"like_input\": true}]}";

static const char *const manifest = "version: v1\nnodes: [{ id: slow, node_type: example/Slow }]\n";

/* Serves the nodes until the pipeline has closed the last of them. */
static void *serve(void *user) {
    (void)user;
    for (;;) {
        rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
        if (rmedia_engine_next_job(RMEDIA_DEFAULT_ENGINE, RMEDIA_FOREVER, &job, NULL) != RMEDIA_OK)
            return NULL;
        if (job.kind == RMEDIA_JOB_PROCESS) {
            /* Here a program asks a model, a device, a server: whatever takes its time. */
            rmedia_job_emit(job.job, 0, job.packet, NULL);
        }
        rmedia_job_done(job.job);
        if (job.kind == RMEDIA_JOB_CLOSE) return NULL;
    }
}

/* Pulls what is there. Gives why there is no more. */
static int32_t pull_all(rmedia_pipeline_t pipeline, size_t *frames, rmedia_error_t *error) {
    rmedia_packet_t packet;
    int32_t status;
    while ((status = rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL,
                                          error)) == RMEDIA_OK) {
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        rmedia_packet_view(packet, &info);
        *frames += info.frames;
        rmedia_packet_release(packet);
    }
    return status;
}

static void print_events(rmedia_pipeline_t pipeline) {
    rmedia_string_t event;
    while (rmedia_pipeline_next_event(pipeline, &event) == RMEDIA_OK) {
        printf("event %s\n", rmedia_string_data(event));
        rmedia_string_release(event);
    }
}

int main(void) {
    static const float samples[480];
    rmedia_error_t error = {0};
    rmedia_pipeline_t pipeline = {0};
    pthread_t server;
    int pushed = 0, serving = 0;
    size_t frames = 0;
    int32_t fd = -1, status = RMEDIA_OK;

    status = rmedia_engine_add_host_node(RMEDIA_DEFAULT_ENGINE, declaration, &error);
    if (status < 0) goto done;
    if ((status = rmedia_pipeline_create(manifest, NULL, &pipeline, &error)) < 0) goto done;
    if ((status = rmedia_pipeline_wait_handle(pipeline, &fd)) < 0) goto done;
    serving = pthread_create(&server, NULL, serve, NULL) == 0;

    while (serving && status >= 0 && status != RMEDIA_END) {
        /* Push what has room: IN_FLIGHT, BUSY and HOST mean later, FULL means after a pull. */
        while (pushed < 100) {
            status = rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 480, 48000, 1, &error);
            if (status != RMEDIA_OK || ++pushed < 100) break;
            status = rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error);
        }
        if (status >= 0) status = pull_all(pipeline, &frames, &error);
        print_events(pipeline);
        /* Nothing more is there now: sleep until something has changed. A program has its other
         * descriptors in the same poll. */
        struct pollfd polled = {.fd = fd, .events = POLLIN};
        int is_idle = status == RMEDIA_IN_FLIGHT || status == RMEDIA_DUE ||
                      status == RMEDIA_BUSY || status == RMEDIA_HOST;
        if (is_idle && poll(&polled, 1, -1) < 0) break;
    }
    printf("%d packets in, %zu frames out\n", pushed, frames);

done:
    if (error.id) fprintf(stderr, "event_loop: %s\n", rmedia_error_message(error));
    rmedia_error_release(error);
    rmedia_pipeline_destroy(pipeline); /* the server gets RMEDIA_JOB_CLOSE */
    if (serving) pthread_join(server, NULL);
    return status == RMEDIA_END ? 0 : 1;
}
