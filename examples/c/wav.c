/* wav MANIFEST IN.wav OUT.wav: runs a recording through a pipeline, 20 ms at a time.
 *
 *     cc wav.c $(pkg-config --cflags --libs rmedia) -o wav
 *     ./wav ../resample.yaml speech.wav speech-16k.wav
 *
 * Reads 16-bit and 32-bit float WAV and writes what the pipeline gives, little-endian only. */

#include <rmedia.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t number(const unsigned char *bytes, int count) {
    uint32_t value = 0;
    while (count-- > 0) value = value << 8 | bytes[count];
    return value;
}

static void put(FILE *out, uint32_t value, int count) {
    for (; count-- > 0; value >>= 8) fputc(value & 0xff, out);
}

/* Goes to the samples and says in `info` what they are. Gives how many bytes there are, 0: none. */
static uint32_t read_header(FILE *in, rmedia_packet_info_t *info) {
    unsigned char head[12], fmt[16];
    if (fread(head, 1, 12, in) != 12 || memcmp(head, "RIFF", 4) != 0) return 0;
    while (fread(head, 1, 8, in) == 8) { /* a chunk: its name, its size, its bytes */
        uint32_t size = number(head + 4, 4);
        if (memcmp(head, "data", 4) == 0) return info->rate ? size : 0;
        if (memcmp(head, "fmt ", 4) == 0) {
            if (size < 16 || fread(fmt, 1, 16, in) != 16) return 0;
            int is_f32 = number(fmt, 2) == 3 && number(fmt + 14, 2) == 32;
            int is_i16 = number(fmt, 2) == 1 && number(fmt + 14, 2) == 16;
            if (!is_f32 && !is_i16) return 0;
            info->format = is_f32 ? RMEDIA_SAMPLE_F32 : RMEDIA_SAMPLE_I16;
            info->channels = number(fmt + 2, 2);
            info->rate = number(fmt + 4, 4);
            size -= 16;
        }
        if (fseek(in, (long)(size + size % 2), SEEK_CUR) != 0) return 0;
    }
    return 0;
}

static void write_header(FILE *out, const rmedia_packet_info_t *info, uint32_t bytes) {
    uint32_t is_f32 = info->format == RMEDIA_SAMPLE_F32, block = info->channels * (is_f32 ? 4 : 2);
    fputs("RIFF", out), put(out, (is_f32 ? 50 : 36) + bytes, 4), fputs("WAVEfmt ", out);
    put(out, is_f32 ? 18 : 16, 4), put(out, is_f32 ? 3 : 1, 2), put(out, info->channels, 2);
    put(out, info->rate, 4), put(out, info->rate * block, 4), put(out, block, 2);
    put(out, is_f32 ? 32 : 16, 2);
    if (is_f32) put(out, 0, 2), fputs("fact", out), put(out, 4, 4), put(out, bytes / block, 4);
    fputs("data", out), put(out, bytes, 4);
}

/* Writes all packets that are there. Gives why there are no more, as rmedia_pipeline_pull does. */
static int32_t pull_all(rmedia_pipeline_t pipeline, FILE *out, rmedia_packet_info_t *format,
                        uint32_t *bytes, rmedia_error_t *error) {
    rmedia_packet_t packet;
    int32_t status;
    while ((status = rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_FOREVER, &packet, NULL,
                                          error)) == RMEDIA_OK) {
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        rmedia_packet_view(packet, &info);
        if (info.kind == RMEDIA_KIND_AUDIO && info.format <= RMEDIA_SAMPLE_I16) {
            *format = info;
            if (*bytes == 0) write_header(out, format, 0); /* room for it */
            *bytes += (uint32_t)fwrite(info.data, 1, info.size, out);
        }
        rmedia_packet_release(packet);
    }
    return status;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: wav MANIFEST IN.wav OUT.wav\n"), 2;
    rmedia_pipeline_t pipeline = {0};
    rmedia_error_t error = {0};
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT, format = RMEDIA_PACKET_INFO_INIT;
    char *buffer = NULL;
    uint32_t left = 0, written = 0;
    int32_t status = RMEDIA_E_IO;
    FILE *in = fopen(argv[2], "rb"), *out = fopen(argv[3], "wb");
    if (!in || !out || (left = read_header(in, &info)) == 0) {
        fprintf(stderr, "wav: %s\n", out ? "the input is no WAV of i16 or f32" : "can't write");
        goto done;
    }
    status = rmedia_pipeline_create_from_file(argv[1], NULL, &pipeline, &error);
    if (status < 0) goto done;

    size_t frame = info.channels * (info.format == RMEDIA_SAMPLE_F32 ? 4u : 2u);
    buffer = malloc(info.rate / 50 * frame);
    info.kind = RMEDIA_KIND_AUDIO;
    info.data = buffer;
    while (buffer && left >= frame) {
        size_t most = left / frame < info.rate / 50 ? left / frame : info.rate / 50;
        if ((info.frames = fread(buffer, frame, most, in)) == 0) break;
        left -= (uint32_t)(info.frames * frame);
        rmedia_packet_t packet;
        if ((status = rmedia_packet_create(&info, &packet, &error)) < 0) goto done;
        while ((status = rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, RMEDIA_FOREVER,
                                              &error)) > 0)
            pull_all(pipeline, out, &format, &written, NULL); /* it is full */
        if (status < 0) rmedia_packet_release(packet); /* not taken: it is still ours */
        if (status < 0) goto done;
    }
    if ((status = rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error)) < 0) goto done;
    status = pull_all(pipeline, out, &format, &written, &error);
    rewind(out);
    write_header(out, &format, written);

done:
    if (status < 0 && error.id) fprintf(stderr, "wav: %s\n", rmedia_error_message(error));
    rmedia_error_release(error);
    rmedia_pipeline_destroy(pipeline);
    free(buffer);
    if (in) fclose(in);
    if (out && fclose(out) != 0) status = RMEDIA_E_IO;
    return status == RMEDIA_END ? 0 : 1;
}
