/* SPDX-License-Identifier: MIT */
/*
 * A template and a context, from any bytes: the template, a NUL, the context
 * in JSON; without a NUL a context of our own. What works must give the same
 * twice and runs that cover it; what fails must say why.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "template/render.h"

#include <stdlib.h>

static const char context[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", "
    "\"content\": \"Hi <s> \\u00e9\"}, {\"role\": \"assistant\", \"content\": \"\", "
    "\"tool_calls\": "
    "[{\"function\": {\"name\": \"f\", \"arguments\": {\"x\": 1.5, \"y\": [true, null]}}}]}], "
    "\"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}], \"a\": [3, 1, 2], "
    "\"s\": \"Hello\", \"n\": 7, \"add_generation_prompt\": true}";

static void check(const struct rendered *rendered)
{
    size_t end = 0;
    for (size_t i = 0; i < rendered->run_count; i++) {
        if (rendered->runs[i].end <= end)
            abort();
        end = rendered->runs[i].end;
    }
    if (end != rendered->length || rendered->bytes[rendered->length] != 0 ||
        !loam_utf8_valid(rendered->bytes, rendered->length))
        abort();
}

static void render(const struct program *program, struct memory *memory, const char *json,
                   size_t length)
{
    const struct template_time time = {2026, 1, 15, 9, 30, 45};
    const struct render_options options = {
        .time = &time, .steps = 100000, .memory = 4 << 20, .calls = 50};
    loam_error error = {.struct_size = sizeof error};
    struct rendered first, second;
    loam_status status = loam_render_run(&first, program, memory, json, length, &options, &error);
    if (status) {
        if (error.code != status || error.message[0] == 0)
            abort();
        return;
    }
    check(&first);
    if (loam_render_run(&second, program, memory, json, length, &options, &error) ||
        first.length != second.length || memcmp(first.bytes, second.bytes, first.length) != 0)
        abort();
    loam_render_end(&first);
    loam_render_end(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory;
    struct program program;
    loam_error error = {.struct_size = sizeof error};
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, 0, size) : NULL;
    size_t length = end ? (size_t)(end - text) : size;
    loam_memory_init(&memory, NULL, 64u << 20);
    loam_status status = loam_program_compile(&program, &memory, text, length, &error);
    if (!status) {
        if (end)
            render(&program, &memory, end + 1, size - length - 1);
        else
            render(&program, &memory, context, sizeof context - 1);
        loam_program_end(&program);
    } else if (error.code != status || error.message[0] == 0) {
        abort();
    }
    if (atomic_load(&memory.held) != 0)
        abort();
    return 0;
}
