/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"
#include "text/tokenizer.h"

static const char replacement[3] = {'\xEF', '\xBF', '\xBD'};

/* Characters of bytes[length] that are certain; the rest is held. Returns what
 * was written. */
static size_t convert(struct utf8_stream *stream, char *out, const char *bytes, size_t length,
                      bool ends)
{
    size_t written = 0, held = ends ? 0 : loam_utf8_incomplete(bytes, length);
    for (size_t i = 0; i < length - held;) {
        uint32_t c;
        size_t size = loam_utf8_decode(&c, bytes + i, length - held - i);
        bool valid = c != 0xFFFFFFFFu;
        memcpy(out + written, valid ? bytes + i : replacement, valid ? size : sizeof replacement);
        written += valid ? size : sizeof replacement;
        i += size;
    }
    memcpy(stream->held, bytes + length - held, held);
    stream->held_count = held;
    return written;
}

size_t loam_utf8_stream_push(struct utf8_stream *stream, char *out, const char *bytes,
                             size_t length)
{
    /* The held beginning and as much as could complete it go first, so that
     * the bytes need no copy. */
    size_t written = 0, used = 0;
    while (stream->held_count && used < length) {
        char joined[4];
        size_t held = stream->held_count;
        memcpy(joined, stream->held, held);
        joined[held] = bytes[used++];
        written += convert(stream, out + written, joined, held + 1, false);
    }
    if (used < length)
        written += convert(stream, out + written, bytes + used, length - used, false);
    return written;
}

size_t loam_utf8_stream_finish(struct utf8_stream *stream, char *out)
{
    char held[4];
    size_t count = stream->held_count;
    memcpy(held, stream->held, sizeof held);
    return convert(stream, out, held, count, true);
}
