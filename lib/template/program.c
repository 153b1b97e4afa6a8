/* SPDX-License-Identifier: MIT */
#include "template/program.h"

#include "base/utf8.h"
#include "template/lexer.h"
#include "template/parser.h"

/* What a template may have, and what a compiled one may take. */
enum { SOURCE_MOST = 8 << 20, COMPILED_MOST = 512 << 20, FIRST_SYMBOLS = 64 };

/* ---- symbols ------------------------------------------------------------------------------ */

static uint32_t hash_of(const char *name, size_t length)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

static bool grow_index(struct program *program)
{
    size_t size = program->symbol_index_size ? 2 * program->symbol_index_size : FIRST_SYMBOLS;
    uint32_t *index = loam_heap_get(&program->heap, size, sizeof *index);
    if (!index)
        return false;
    memset(index, 0, size * sizeof *index);
    for (size_t i = 0; i < program->symbol_count; i++) {
        size_t at = hash_of(program->symbols[i].name, program->symbols[i].length) & (size - 1);
        while (index[at])
            at = (at + 1) & (size - 1);
        index[at] = (uint32_t)i + 1;
    }
    program->symbol_index = index;
    program->symbol_index_size = size;
    return true;
}

/* The place in the index where the name is or would be. */
static size_t find_slot(const struct program *program, const char *name, size_t length)
{
    size_t mask = program->symbol_index_size - 1, at = hash_of(name, length) & mask;
    for (; program->symbol_index[at]; at = (at + 1) & mask) {
        const struct symbol *symbol = &program->symbols[program->symbol_index[at] - 1];
        if (symbol->length == length && memcmp(symbol->name, name, length) == 0)
            break;
    }
    return at;
}

int32_t loam_program_find(const struct program *program, const char *name, size_t length)
{
    return (int32_t)program->symbol_index[find_slot(program, name, length)] - 1;
}

int32_t loam_program_symbol(struct program *program, const char *name, size_t length)
{
    if (program->symbol_count >= program->symbol_index_size / 2 && !grow_index(program))
        return -1;
    size_t slot = find_slot(program, name, length);
    if (program->symbol_index[slot])
        return (int32_t)program->symbol_index[slot] - 1;
    if (program->symbol_count >= INT32_MAX / 2 ||
        !loam_heap_grow(&program->heap, (void **)&program->symbols, &program->symbol_capacity,
                        (uint64_t)program->symbol_count + 1, sizeof *program->symbols))
        return -1;
    program->symbols[program->symbol_count] = (struct symbol){
        .name = name, .length = length, .function = loam_native_find(loam_functions, name, length)};
    program->symbol_index[slot] = (uint32_t)++program->symbol_count;
    return (int32_t)program->symbol_count - 1;
}

/* ---- compiling ---------------------------------------------------------------------------- */

static bool special_symbols(struct program *program)
{
    program->loop = loam_program_symbol(program, "loop", 4);
    program->caller = loam_program_symbol(program, "caller", 6);
    program->varargs = loam_program_symbol(program, "varargs", 7);
    program->kwargs = loam_program_symbol(program, "kwargs", 6);
    return program->loop >= 0 && program->caller >= 0 && program->varargs >= 0 &&
           program->kwargs >= 0;
}

static loam_status parse(struct program *program, struct heap *scratch, loam_error *error)
{
    struct tokens tokens = {0};
    loam_status status =
        loam_lexer_run(&tokens, scratch, program->source, program->source_length, error);
    if (status)
        return status;
    struct parser parser = {
        .program = program, .scratch = scratch, .token = tokens.items, .error = error};
    if (!special_symbols(program))
        return loam_fail_memory(error, 0);
    return loam_parse_template(&parser) ? LOAM_OK : parser.status;
}

loam_status loam_program_compile(struct program *out, struct memory *memory, const char *text,
                                 size_t length, loam_error *error)
{
    struct heap scratch;
    *out = (struct program){0};
    if (length > SOURCE_MOST)
        return loam_fail(error, LOAM_UNSUPPORTED, "the template has %zu bytes, at most %d", length,
                         SOURCE_MOST);
    if (!loam_utf8_valid(text, length))
        return loam_fail(error, LOAM_FORMAT, "the template is not valid UTF-8");
    loam_heap_init(&out->heap, memory, COMPILED_MOST);
    loam_heap_init(&scratch, memory, COMPILED_MOST);
    char *source = loam_heap_bytes(&out->heap, length + 1);
    loam_status status = source ? LOAM_OK : loam_fail_memory(error, length + 1);
    if (source) {
        if (length)
            memcpy(source, text, length);
        out->source = source;
        out->source_length = loam_lexer_normalize(source, length);
        source[out->source_length] = 0;
        status = parse(out, &scratch, error);
    }
    loam_heap_end(&scratch);
    if (status)
        loam_program_end(out);
    return status;
}

void loam_program_end(struct program *program)
{
    loam_heap_end(&program->heap);
    *program = (struct program){0};
}
