/* Samples from files to packets, and from packets to bytes: little-endian, frame by frame. */
#ifndef AUDIO_H
#define AUDIO_H

#include "steps.h"
#include "text.h"

/* The content of a file. */
text_t file_read(const char *path);

/* Bytes of a frame. */
size_t audio_frame_size(const rmedia_packet_info_t *info);

/* A part of a file, in frames. */
typedef struct piece_t {
    size_t first;
    size_t frames;
} piece_t;

/* Where the pieces of `chunks` lie in a file of so many frames; `count` gets how many. */
piece_t *audio_pieces(const step_t *step, size_t frames, size_t *count);

/* Brings interleaved samples into planes. */
void audio_to_planes(const rmedia_packet_info_t *info, const char *from, char *to);

/* Adds the samples of a packet, frame by frame. */
void audio_interleaved(const rmedia_packet_info_t *info, text_t *bytes);

#endif
