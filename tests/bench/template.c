/* SPDX-License-Identifier: MIT */
/*
 * Time of rendering a chat template: the median of several rounds, in
 * milliseconds, with the context's text as the input. read_ms is what an empty
 * template takes: reading the context alone.
 *
 *     template-bench TEMPLATE.jinja CONTEXT.json [ROUNDS]
 */
#include "test.h"

#include <loam/loam.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int fail(const loam_error *error)
{
    fprintf(stderr, "template-bench: %s\n", error->message);
    return 1;
}

enum { MOST = 1000 };

/* The median, less than 0 if it fails; *length: of what is rendered. */
static double render(loam_template *chat_template, const char *context, size_t size, int rounds,
                     size_t *length, loam_error *error)
{
    static double times[MOST];
    loam_render_options how = {.struct_size = sizeof how, .now = {"2026-01-15T09:30:45", 19}};
    for (int i = 0; i < rounds; i++) {
        loam_rendering *rendering = NULL;
        loam_rendering_info info = {.struct_size = sizeof info};
        double start = now();
        if (loam_template_render(&rendering, chat_template, context, size, &how, error))
            return -1;
        times[i] = now() - start;
        loam_rendering_get_info(&info, rendering, NULL);
        *length = info.text.length;
        loam_rendering_release(rendering);
    }
    qsort(times, (size_t)rounds, sizeof times[0], compare);
    return times[rounds / 2];
}

int main(int count, char **arguments)
{
    size_t template_size = 0, context_size = 0;
    int rounds = count > 3 ? atoi(arguments[3]) : 50;
    loam_error error = {.struct_size = sizeof error, .message = "cannot read the files"};
    loam_engine_options options = {.struct_size = sizeof options, .threads = 1};
    loam_engine *engine = NULL;
    loam_template *chat_template = NULL, *empty = NULL;
    char *source = count > 2 ? (char *)test_read(arguments[1], &template_size) : NULL;
    char *context = count > 2 ? (char *)test_read(arguments[2], &context_size) : NULL;
    if (!source || !context || rounds < 1 || rounds > MOST)
        return fail(&error);
    if (loam_engine_create(&engine, &options, &error))
        return fail(&error);
    double start = now();
    if (loam_template_create(&chat_template, engine, source, template_size, &error))
        return fail(&error);
    double compiled = now() - start;
    size_t length = 0, nothing;
    if (loam_template_create(&empty, engine, "", 0, &error))
        return fail(&error);
    double rendered = render(chat_template, context, context_size, rounds, &length, &error);
    double read = render(empty, context, context_size, rounds, &nothing, &error);
    if (rendered < 0 || read < 0)
        return fail(&error);
    printf("{\"compile_ms\": %.4f, \"render_ms\": %.4f, \"read_ms\": %.4f, \"bytes\": %zu}\n",
           compiled, rendered, read, length);
    loam_template_release(empty);
    loam_template_release(chat_template);
    loam_engine_release(engine);
    free(source);
    free(context);
    return 0;
}
