/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* Cuts the text at a whole UTF-8 character and hides control bytes. */
static void tidy(char *text, size_t capacity)
{
    size_t length = strlen(text);
    if (length + 1 == capacity) {
        while (length > 0 && ((unsigned char)text[length - 1] & 0xC0) == 0x80)
            length--;
        if (length > 0 && (unsigned char)text[length - 1] >= 0xC0)
            length--;
        text[length] = 0;
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            text[i] = '?';
}

/* Room for a message in the caller's struct, whatever its size. */
static size_t message_capacity(const loam_error *error)
{
    size_t before = offsetof(loam_error, message);
    if (!error || error->struct_size <= before)
        return 0;
    return loam_min(error->struct_size - before, sizeof error->message);
}

loam_status loam_fail(loam_error *error, loam_status code, const char *format, ...)
{
    size_t capacity = message_capacity(error);
    if (capacity == 0)
        return code;
    error->code = code;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(error->message, capacity, format, arguments);
    va_end(arguments);
    if (written < 0)
        error->message[0] = 0;
    tidy(error->message, capacity);
    return code;
}

loam_status loam_fail_memory(loam_error *error, uint64_t wanted_bytes)
{
    return loam_fail(error, LOAM_MEMORY, "out of memory, or over the engine's limit: wanted %llu bytes",
                     (unsigned long long)wanted_bytes);
}

void loam_error_prefix(loam_error *error, const char *prefix, size_t prefix_length)
{
    size_t capacity = message_capacity(error);
    if (capacity == 0 || prefix_length == 0)
        return;
    char old[sizeof error->message];
    memcpy(old, error->message, capacity);
    loam_fail(error, error->code, "%.*s: %s", LOAM_SHOWN(prefix_length), prefix, old);
}

static loam_status check_size(size_t struct_size, const char *name, loam_error *error)
{
    if (struct_size < sizeof(size_t) || struct_size > 65536)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "%s: struct_size is %zu; set it to sizeof the struct", name, struct_size);
    return LOAM_OK;
}

loam_status loam_struct_read(void *to, size_t size, const void *from, const char *name,
                             loam_error *error)
{
    memset(to, 0, size);
    memcpy(to, &size, sizeof size);
    if (!from)
        return LOAM_OK;
    size_t given;
    memcpy(&given, from, sizeof given);
    loam_status status = check_size(given, name, error);
    if (status)
        return status;
    const unsigned char *bytes = from;
    for (size_t i = size; i < given; i++)
        if (bytes[i] != 0)
            return loam_fail(error, LOAM_UNSUPPORTED,
                             "%s: a field beyond byte %zu is set, which this version does not know",
                             name, size);
    memcpy((char *)to + sizeof size, bytes + sizeof size, loam_min(size, given) - sizeof size);
    return LOAM_OK;
}

loam_status loam_struct_check(const void *out, const char *name, loam_error *error)
{
    if (!out)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "%s is NULL", name);
    size_t given;
    memcpy(&given, out, sizeof given);
    return check_size(given, name, error);
}

void loam_struct_write(void *out, const void *from, size_t size)
{
    size_t given;
    memcpy(&given, out, sizeof given);
    size_t copied = loam_min(given, size);
    memcpy((char *)out + sizeof given, (const char *)from + sizeof given, copied - sizeof given);
    if (given > copied)
        memset((char *)out + copied, 0, given - copied);
}

const char *loam_status_name(loam_status status)
{
    switch (status) {
#define NAME(name, value, text)                                                                    \
    case value:                                                                                    \
        return #name;
        LOAM_STATUS_MAP(NAME)
#undef NAME
    default:
        return "UNKNOWN";
    }
}

const char *loam_status_text(loam_status status)
{
    switch (status) {
#define TEXT(name, value, text)                                                                    \
    case value:                                                                                    \
        return text;
        LOAM_STATUS_MAP(TEXT)
#undef TEXT
    default:
        return "a status that this version does not know";
    }
}
