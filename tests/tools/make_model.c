/* SPDX-License-Identifier: MIT */
/*
 * make-model SHAPE TYPE OUT [--seed N]: a GGUF file of random weights in the
 * shape of a known model. It is written to OUT.part and renamed when whole.
 */
#include "tools/make_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 1 << 20 };

struct job {
    const struct shape *shape;
    const struct mix *mix;
    const char *path;
    uint64_t seed;
    struct tensor_list tensors;
    struct numbers numbers;
    _Alignas(64) unsigned char chunk[CHUNK];
};

static bool write_matrix(struct job *job, const struct tensor *tensor, FILE *file)
{
    size_t block_bytes = tensor->type->block_bytes, most = CHUNK / block_bytes / 4 * 4;
    for (uint64_t left = tensor->bytes / block_bytes; left > 0;) {
        size_t blocks = left < most ? (size_t)left : most;
        make_numbers_matrix(&job->numbers, job->chunk, blocks);
        if (fwrite(job->chunk, block_bytes, blocks, file) != blocks)
            return false;
        left -= blocks;
    }
    return true;
}

static bool write_tensor(struct job *job, const struct tensor *tensor, FILE *file)
{
    static const unsigned char zeros[ALIGNMENT];
    size_t padding = (size_t)(-tensor->bytes % ALIGNMENT);
    make_numbers_begin(&job->numbers, tensor, job->seed);
    if (tensor->content == CONTENT_MATRIX) {
        if (!write_matrix(job, tensor, file))
            return false;
    } else {
        make_numbers_vector(&job->numbers, (float *)(void *)job->chunk, tensor, job->shape);
        if (fwrite(job->chunk, 1, (size_t)tensor->bytes, file) != tensor->bytes)
            return false;
    }
    return fwrite(zeros, 1, padding, file) == padding;
}

static bool write_file(struct job *job, FILE *file)
{
    struct bytes header = {0};
    make_header(&header, job->shape, job->mix, &job->tensors, job->seed);
    if (header.failed)
        errno = ENOMEM;
    bool written = !header.failed && fwrite(header.data, 1, header.size, file) == header.size;
    free(header.data);
    for (size_t i = 0; written && i < job->tensors.count; i++)
        written = write_tensor(job, &job->tensors.tensors[i], file);
    return written;
}

static int make(struct job *job)
{
    size_t length = strlen(job->path) + sizeof ".part";
    char *part = malloc(length);
    if (!part) {
        fprintf(stderr, "make-model: no memory\n");
        return 1;
    }
    snprintf(part, length, "%s.part", job->path);
    FILE *file = fopen(part, "wb");
    bool written = file && write_file(job, file);
    int reason = errno;
    if (file && fclose(file) != 0 && written) {
        written = false;
        reason = errno;
    }
    if (written && rename(part, job->path) != 0) {
        written = false;
        reason = errno;
    }
    if (!written) {
        fprintf(stderr, "make-model: %s: %s\n", job->path, strerror(reason));
        if (file)
            remove(part);
    }
    free(part);
    return written ? 0 : 1;
}

/* ---- options ----------------------------------------------------------------- */

static int refuse_shape(const char *name)
{
    fprintf(stderr, "make-model: unknown shape \"%s\"; shapes:", name);
    for (size_t i = 0; make_shape_at(i); i++)
        fprintf(stderr, " %s", make_shape_at(i)->name);
    fprintf(stderr, "\n");
    return 2;
}

static int refuse_type(const char *name)
{
    fprintf(stderr, "make-model: unknown type \"%s\"; types:", name);
    for (size_t i = 0; make_mix_at(i); i++)
        fprintf(stderr, " %s", make_mix_at(i)->name);
    fprintf(stderr, "\n");
    return 2;
}

static bool parse_seed(uint64_t *out, const char *text)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *end == 0 && errno == 0;
}

int main(int argc, char **argv)
{
    const char *words[3];
    int count = 0;
    struct job *job = malloc(sizeof *job);
    bool understood = job != NULL;
    if (job)
        job->seed = 1;
    for (int i = 1; understood && i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            understood = ++i < argc && parse_seed(&job->seed, argv[i]);
        else if (count < 3 && argv[i][0] != '-')
            words[count++] = argv[i];
        else
            understood = false;
    }
    int status = 2;
    if (!understood || count != 3) {
        fprintf(stderr, "usage: make-model SHAPE TYPE OUT [--seed N]\n");
    } else {
        job->shape = make_shape_named(words[0]);
        job->mix = make_mix_named(words[1]);
        job->path = words[2];
        if (!job->shape) {
            status = refuse_shape(words[0]);
        } else if (!job->mix) {
            status = refuse_type(words[1]);
        } else {
            make_tensors(&job->tensors, job->shape, job->mix);
            status = make(job);
        }
    }
    free(job);
    return status;
}
