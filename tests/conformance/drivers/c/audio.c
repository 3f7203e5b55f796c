#include "audio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a sample, by RMEDIA_SAMPLE_… */
static const size_t SIZES[] = {4, 2, 3, 4, 1};

text_t file_read(const char *path) {
    text_t bytes = {0};
    char part[65536];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die("%s can't be opened", path);
    text_add(&bytes, "", 0);
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        text_add(&bytes, part, size);
    if (ferror(file))
        die("%s can't be read", path);
    fclose(file);
    return bytes;
}

size_t audio_frame_size(const rmedia_packet_info_t *info) {
    return SIZES[info->format] * info->channels;
}

piece_t *audio_pieces(const step_t *step, size_t frames, size_t *count) {
    size_t room = frames + strlen(step->chunks) + 1, at = step->skip_frames, n = 0;
    piece_t *pieces = calloc(room, sizeof *pieces);
    if (pieces == NULL)
        die("no memory");
    if (strcmp(step->chunks, "all") == 0) {
        at = at < frames ? at : frames;
        pieces[0] = (piece_t){at, frames - at};
        *count = 1;
        return pieces;
    }
    bool repeats = step->chunks[strlen(step->chunks) - 1] == '*';
    for (const char *list = step->chunks; *list != '\0';) {
        if (*list == '*')
            list = step->chunks;
        char *end;
        size_t size = strtoull(list, &end, 10);
        if (end == list || (*end != '\0' && *end != ','))
            die("'%s' are no numbers of frames", step->chunks);
        list = *end == ',' ? end + 1 : end;
        bool last = repeats && at + size >= frames;
        if (last)
            size = frames - at;
        if (at + size > frames)
            die("the file has %zu frames, not %zu", frames, at + size);
        if (n == room)
            die("'%s' never ends", step->chunks);
        pieces[n++] = (piece_t){at, size};
        at += size;
        if (last)
            break;
    }
    *count = n;
    return pieces;
}

void audio_to_planes(const rmedia_packet_info_t *info, const char *from, char *to) {
    size_t size = SIZES[info->format], frame = audio_frame_size(info);
    for (size_t channel = 0; channel < info->channels; channel++) {
        for (size_t n = 0; n < info->frames; n++, to += size)
            memcpy(to, from + n * frame + channel * size, size);
    }
}

void audio_interleaved(const rmedia_packet_info_t *info, text_t *bytes) {
    size_t size = SIZES[info->format];
    const char *data = info->data;
    if ((info->flags & RMEDIA_PACKET_PLANAR) == 0) {
        text_add(bytes, data, info->frames * audio_frame_size(info));
        return;
    }
    for (size_t n = 0; n < info->frames; n++) {
        for (size_t channel = 0; channel < info->channels; channel++)
            text_add(bytes, data + channel * info->stride + n * size, size);
    }
}
