/* SPDX-License-Identifier: MIT */
#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the common errno values mean to a person; strerror is not thread-safe
 * everywhere. */
static const char *reason(int number)
{
    switch (number) {
    case ENOENT:
        return "no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ENOTDIR:
        return "a part of the path is not a directory";
    case EISDIR:
        return "is a directory";
    case ELOOP:
        return "too many symbolic links";
    case ENAMETOOLONG:
        return "the name is too long";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case EIO:
        return "the device reports a read error";
    case EBADF:
        return "not an open descriptor";
    case ESPIPE:
        return "cannot be read at offsets (a pipe or terminal)";
    default:
        return "the system refused";
    }
}

/* The last component of a path is what fits into messages. */
static void set_name(struct source *source, const char *text, size_t length, const char *fallback)
{
    for (size_t i = length; i > 0; i--)
        if (text[i - 1] == '/' && i < length) {
            text += i;
            length -= i;
            break;
        }
    if (length == 0) {
        text = fallback;
        length = strlen(fallback);
    }
    length = loam_min(length, sizeof source->name - 1);
    memcpy(source->name, text, length);
    source->name[length] = 0;
}

static loam_status open_descriptor(struct source *out, const loam_source *given, loam_error *error)
{
    struct stat facts;
    if (given->descriptor < 0 || fstat(given->descriptor, &facts) != 0)
        return loam_fail(error, LOAM_IO, "%s: descriptor %d: %s", out->name, (int)given->descriptor,
                         reason(EBADF));
    if (!S_ISREG(facts.st_mode))
        return loam_fail(error, LOAM_IO, "%s: descriptor %d is not a regular file", out->name,
                         (int)given->descriptor);
    uint64_t length = (uint64_t)facts.st_size;
    if (given->offset > length || given->size > length - given->offset)
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "%s: offset %llu and size %llu reach beyond the file's %llu bytes",
                         out->name, (unsigned long long)given->offset,
                         (unsigned long long)given->size, (unsigned long long)length);
    out->descriptor = given->descriptor;
    out->offset = given->offset;
    out->size = given->size ? given->size : length - given->offset;
    return LOAM_OK;
}

static loam_status open_path(struct source *out, const loam_source *given, size_t length,
                             loam_error *error)
{
    char path[PATH_MAX];
    struct stat facts;
    if (length == 0 || length >= sizeof path || memchr(given->path.data, 0, length))
        return loam_fail(error, LOAM_INVALID_ARGUMENT,
                         "source: the path has %zu bytes or a NUL inside, expected 1 to %zu bytes",
                         length, sizeof path - 1);
    memcpy(path, given->path.data, length);
    path[length] = 0;
    /* Non-blocking, so that a pipe by this name can't hold us up. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return loam_fail(error, LOAM_IO, "%s: cannot open: %s", path, reason(errno));
    if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        bool directory = S_ISDIR(facts.st_mode);
        close(descriptor);
        return loam_fail(error, LOAM_IO, "%s: is %s, expected a file", path,
                         directory ? "a directory" : "not a regular file");
    }
    out->descriptor = descriptor;
    out->size = (uint64_t)facts.st_size;
    return LOAM_OK;
}

loam_status loam_source_open(struct source *out, const loam_source *given, loam_error *error)
{
    static const char *const fallback[] = {"model", "descriptor", "memory", "callback"};
    size_t length = loam_length(given->path.data, given->path.length);
    memset(out, 0, sizeof *out);
    out->kind = given->kind;
    out->descriptor = -1;
    if (given->kind < LOAM_SOURCE_PATH || given->kind > LOAM_SOURCE_CALLBACK)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "source: kind %d is not known",
                         (int)given->kind);
    if (length && !given->path.data)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "source: path is NULL");
    set_name(out, given->path.data, length, fallback[given->kind]);
    if (given->kind == LOAM_SOURCE_PATH)
        return open_path(out, given, length, error);
    if (given->kind == LOAM_SOURCE_DESCRIPTOR)
        return open_descriptor(out, given, error);
    out->size = given->size;
    if (given->kind == LOAM_SOURCE_MEMORY) {
        if (!given->data && given->size)
            return loam_fail(error, LOAM_INVALID_ARGUMENT, "source: data is NULL");
        out->data = given->data;
        return LOAM_OK;
    }
    if (!given->read)
        return loam_fail(error, LOAM_INVALID_ARGUMENT, "source: read is NULL");
    out->read = given->read;
    out->user = given->user;
    return LOAM_OK;
}

void loam_source_close(struct source *source)
{
    if (source->kind == LOAM_SOURCE_PATH && source->descriptor >= 0)
        close(source->descriptor);
    source->descriptor = -1;
}

static loam_status read_descriptor(struct source *source, uint64_t offset, unsigned char *out,
                                   size_t size, loam_error *error)
{
    while (size > 0) {
        ssize_t count = pread(source->descriptor, out, loam_min(size, 1u << 30),
                              (off_t)(source->offset + offset));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return loam_fail(error, LOAM_IO, "%s: reading at byte %llu: %s", source->name,
                             (unsigned long long)offset, reason(errno));
        if (count == 0)
            return loam_fail(error, LOAM_IO,
                             "%s: became shorter while it was read, ends at byte %llu",
                             source->name, (unsigned long long)offset);
        out += count;
        offset += (uint64_t)count;
        size -= (size_t)count;
    }
    return LOAM_OK;
}

loam_status loam_source_read(struct source *source, uint64_t offset, void *out, size_t size,
                             loam_error *error)
{
    if (offset > source->size || size > source->size - offset)
        return loam_fail(error, LOAM_FORMAT,
                         "%s: ends early: %zu bytes expected at byte %llu, the file has %llu",
                         source->name, size, (unsigned long long)offset,
                         (unsigned long long)source->size);
    if (size == 0)
        return LOAM_OK;
    if (source->kind == LOAM_SOURCE_MEMORY) {
        memcpy(out, source->data + offset, size);
        return LOAM_OK;
    }
    if (source->kind != LOAM_SOURCE_CALLBACK)
        return read_descriptor(source, offset, out, size, error);
    if (source->read(source->user, offset, out, size) != 0)
        return loam_fail(error, LOAM_IO, "%s: the read function failed for %zu bytes at byte %llu",
                         source->name, size, (unsigned long long)offset);
    return LOAM_OK;
}

/* ---- mapping ---------------------------------------------------------------- */

void loam_source_map(struct source_map *out, const struct source *source)
{
    *out = (struct source_map){0};
    if (source->kind != LOAM_SOURCE_PATH && source->kind != LOAM_SOURCE_DESCRIPTOR)
        return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), begin = source->offset / page * page;
    uint64_t length = source->offset - begin + source->size;
    if (length == 0 || length > SIZE_MAX / 2)
        return;
    void *start =
        mmap(NULL, (size_t)length, PROT_READ, MAP_SHARED, source->descriptor, (off_t)begin);
    if (start == MAP_FAILED)
        return;
    out->start = start;
    out->length = (size_t)length;
    out->data = (const unsigned char *)start + (source->offset - begin);
}

void loam_source_unmap(struct source_map *map)
{
    if (map->data)
        munmap(map->start, map->length);
    *map = (struct source_map){0};
}
