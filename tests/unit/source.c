/* SPDX-License-Identifier: MIT */
/* Bytes of a file from a path, a descriptor, memory and callbacks. */
#include "test.h"

#include "base/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/loam-source-XXXXXX";
static loam_error error = {.struct_size = sizeof error};

static void make_file(void)
{
    int descriptor = mkstemp(path);
    REQUIRE(descriptor >= 0);
    CHECK_EQUAL(write(descriptor, "0123456789", 10), 10);
    close(descriptor);
}

static void check_reads(const loam_source *given, uint64_t size, char first)
{
    struct source source;
    char bytes[16];
    CHECK_EQUAL(loam_source_open(&source, given, &error), LOAM_OK);
    CHECK_EQUAL(source.size, size);
    CHECK_EQUAL(loam_source_read(&source, 0, bytes, 3, &error), LOAM_OK);
    CHECK(bytes[0] == first && bytes[2] == first + 2);
    CHECK_EQUAL(loam_source_read(&source, size - 1, bytes, 1, &error), LOAM_OK);
    CHECK_EQUAL(loam_source_read(&source, size, bytes, 0, &error), LOAM_OK);
    CHECK_EQUAL(loam_source_read(&source, size, bytes, 1, &error), LOAM_FORMAT);
    CHECK_EQUAL(loam_source_read(&source, UINT64_MAX, bytes, 2, &error), LOAM_FORMAT);
    CHECK(strstr(error.message, "ends early") != NULL);
    loam_source_close(&source);
    loam_source_close(&source);
}

static int32_t read_digits(void *user, uint64_t offset, void *out, size_t size)
{
    memcpy(out, (char *)user + offset, size);
    return offset == 5;
}

static void all_kinds_read_the_same(void)
{
    loam_source by_path = {.struct_size = sizeof by_path, .path = {path, LOAM_NUL_TERMINATED}};
    loam_source memory = {
        .struct_size = sizeof memory, .kind = LOAM_SOURCE_MEMORY, .data = "0123456789", .size = 10};
    char digits[] = "0123456789";
    loam_source callback = {.struct_size = sizeof callback,
                            .kind = LOAM_SOURCE_CALLBACK,
                            .size = 10,
                            .read = read_digits,
                            .user = digits};
    loam_source descriptor = {.struct_size = sizeof descriptor, .kind = LOAM_SOURCE_DESCRIPTOR};
    check_reads(&by_path, 10, '0');
    check_reads(&memory, 10, '0');
    check_reads(&callback, 10, '0');
    descriptor.descriptor = open(path, O_RDONLY);
    check_reads(&descriptor, 10, '0');
    descriptor.offset = 4;
    check_reads(&descriptor, 6, '4');
    descriptor.size = 5;
    check_reads(&descriptor, 5, '4');
    /* It stays the caller's, its position unchanged. */
    CHECK_EQUAL(lseek(descriptor.descriptor, 0, SEEK_CUR), 0);
    CHECK_EQUAL(close(descriptor.descriptor), 0);
    struct source source;
    char bytes[4];
    CHECK_EQUAL(loam_source_open(&source, &callback, &error), LOAM_OK);
    CHECK_EQUAL(loam_source_read(&source, 5, bytes, 1, &error), LOAM_IO);
}

static void refuses(const loam_source *given, loam_status status, const char *word)
{
    struct source source;
    CHECK_EQUAL(loam_source_open(&source, given, &error), status);
    if (!strstr(error.message, word)) {
        printf("# \"%s\" should contain \"%s\"\n", error.message, word);
        test_failed_here++;
    }
}

static void wrong_sources_are_told(void)
{
    loam_source source = {.struct_size = sizeof source,
                          .path = {"/no/such/file", LOAM_NUL_TERMINATED}};
    refuses(&source, LOAM_IO, "/no/such/file");
    source.path.data = "/tmp";
    refuses(&source, LOAM_IO, "directory");
    source.path = (loam_string){"a\0b", 3};
    refuses(&source, LOAM_INVALID_ARGUMENT, "NUL");
    source.path = (loam_string){"", 0};
    refuses(&source, LOAM_INVALID_ARGUMENT, "path");
    source.path = (loam_string){NULL, 4};
    refuses(&source, LOAM_INVALID_ARGUMENT, "NULL");
    source = (loam_source){.struct_size = sizeof source, .kind = 9};
    refuses(&source, LOAM_INVALID_ARGUMENT, "kind");
    source.kind = LOAM_SOURCE_MEMORY;
    source.size = 1;
    refuses(&source, LOAM_INVALID_ARGUMENT, "data");
    source.kind = LOAM_SOURCE_CALLBACK;
    refuses(&source, LOAM_INVALID_ARGUMENT, "read");
    source.kind = LOAM_SOURCE_DESCRIPTOR;
    source.descriptor = 9999;
    refuses(&source, LOAM_IO, "descriptor");
    source.descriptor = open(path, O_RDONLY);
    source.offset = 8;
    source.size = 3;
    refuses(&source, LOAM_INVALID_ARGUMENT, "beyond");
    close(source.descriptor);
}

static void a_pipe_by_name_does_not_block(void)
{
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s-fifo", path);
    if (mkfifo(fifo, 0600) != 0)
        SKIP("no named pipes here");
    loam_source source = {.struct_size = sizeof source, .path = {fifo, LOAM_NUL_TERMINATED}};
    refuses(&source, LOAM_IO, "not a regular file");
    unlink(fifo);
}

static void a_file_that_shrinks_is_an_error(void)
{
    loam_source given = {.struct_size = sizeof given, .path = {path, LOAM_NUL_TERMINATED}};
    struct source source;
    char bytes[10];
    CHECK_EQUAL(loam_source_open(&source, &given, &error), LOAM_OK);
    CHECK_EQUAL(truncate(path, 5), 0);
    CHECK_EQUAL(loam_source_read(&source, 0, bytes, 10, &error), LOAM_IO);
    CHECK(strstr(error.message, "shorter") != NULL);
    loam_source_close(&source);
}

int main(void)
{
    RUN(make_file);
    RUN(all_kinds_read_the_same);
    RUN(wrong_sources_are_told);
    RUN(a_pipe_by_name_does_not_block);
    RUN(a_file_that_shrinks_is_an_error);
    unlink(path);
    return test_end();
}
