/* SPDX-License-Identifier: MIT */
/* The block tags. */
#include "template/parser.h"

/* ---- assignment ---------------------------------------------------------------------- */

/* Stores what lies on the stack into a name, or into names in parentheses or
 * with commas between them. */
static bool parse_target(struct parser *parser);

static bool parse_target_part(struct parser *parser)
{
    int32_t symbol;
    if (loam_parser_skip(parser, "(")) {
        if (!loam_parser_enter(parser) || !parse_target(parser))
            return false;
        parser->depth--;
        return loam_parser_expect(parser, ")");
    }
    return loam_parser_symbol(parser, &symbol) && loam_parser_emit(parser, DO_STORE, 0, symbol);
}

static bool parse_target(struct parser *parser)
{
    size_t start = parser_here(parser);
    unsigned count = 0;
    bool comma = false;
    do {
        if (count > 0 && (loam_parser_is_name(parser, "in") || loam_parser_is(parser, "=") ||
                          loam_parser_is(parser, ")")))
            break;
        if (!parse_target_part(parser))
            return false;
        count++;
        comma |= loam_parser_is(parser, ",");
    } while (loam_parser_skip(parser, ","));
    if (!comma)
        return true;
    size_t end = parser_here(parser);
    return loam_parser_emit(parser, DO_UNPACK, count, 0) && loam_parser_rotate(parser, start, end);
}

/* "ns.name =": the namespace's attribute. */
static bool parse_attribute_target(struct parser *parser)
{
    int32_t symbol, constant;
    if (!loam_parser_symbol(parser, &symbol) || !loam_parser_expect(parser, ".") ||
        symbol > UINT16_MAX)
        return loam_parser_fail(parser, parser->token, "too many names");
    if (parser->token->kind != TOKEN_NAME)
        return loam_parser_fail_token(parser, parser->token, "expected a name, found");
    if (!loam_parser_name_constant(parser, parser->token, &constant))
        return false;
    parser->token++;
    return loam_parser_emit(parser, DO_STORE_ATTRIBUTE, (unsigned)symbol, constant);
}

/* A body that is kept from the output. No break leaves it. */
static bool parse_captured(struct parser *parser, const char *end)
{
    struct parsed_loop *loop = parser->loop;
    parser->loop = NULL;
    if (!loam_parser_emit(parser, DO_SCOPE_BEGIN, 0, 0) ||
        !loam_parser_emit(parser, DO_CAPTURE_BEGIN, 0, 0) || !loam_parse_body(parser, end) ||
        !loam_parser_emit(parser, DO_CAPTURE_END, 0, 0) ||
        !loam_parser_emit(parser, DO_SCOPE_END, 0, 0))
        return false;
    parser->loop = loop;
    return true;
}

bool loam_parse_set(struct parser *parser)
{
    size_t target = parser_here(parser);
    const struct token *next = parser->token + 1;
    bool attribute = parser->token->kind == TOKEN_NAME && next->kind == TOKEN_OPERATOR &&
                     next->operator[0] == '.';
    if (!(attribute ? parse_attribute_target(parser) : parse_target(parser)))
        return false;
    size_t value = parser_here(parser);
    if (loam_parser_skip(parser, "="))
        return loam_parse_tuple(parser, true) && loam_parser_rotate(parser, target, value) &&
               loam_parser_expect_block_end(parser);
    /* {% set x | filter %}body{% endset %} */
    if (!loam_parse_filters(parser, false))
        return false;
    size_t body = parser_here(parser);
    /* target, filters, body: to body, filters, target */
    return loam_parser_expect_block_end(parser) && parse_captured(parser, "endset") &&
           loam_parser_expect_block_end(parser) && loam_parser_rotate(parser, value, body) &&
           loam_parser_rotate(parser, target, value);
}

bool loam_parse_with(struct parser *parser)
{
    size_t targets = parser_here(parser), count = 0;
    if (!loam_parser_emit(parser, DO_SCOPE_BEGIN, 0, 0))
        return false;
    while (parser->token->kind != TOKEN_BLOCK_END) {
        size_t target = parser_here(parser);
        if (count++ > 0 && !loam_parser_expect(parser, ","))
            return false;
        /* Values go before all targets, targets in the opposite order: the
         * values are computed outside, and lie on the stack in order. */
        if (!parse_target(parser))
            return false;
        size_t value = parser_here(parser);
        if (!loam_parser_expect(parser, "=") || !loam_parse_expression(parser))
            return false;
        size_t length = parser_here(parser) - value;
        /* begin, t1 ..., tn, vn: to vn, begin, t1 ..., tn, and to vn, begin, tn, t1 ... */
        if (!loam_parser_rotate(parser, targets, value) ||
            !loam_parser_rotate(parser, targets + length + 1, target + length))
            return false;
        targets += length;
    }
    return loam_parser_expect_block_end(parser) && loam_parse_body(parser, "endwith") &&
           loam_parser_expect_block_end(parser) && loam_parser_emit(parser, DO_SCOPE_END, 0, 0);
}

/* ---- if -------------------------------------------------------------------------------- */

bool loam_parse_if(struct parser *parser)
{
    int32_t ends = -1; /* jumps to the end; each holds the one before */
    bool more = true;
    while (more) {
        if (!loam_parse_tuple(parser, true))
            return false;
        size_t jump = parser_here(parser);
        if (!loam_parser_emit(parser, DO_JUMP_IF_FALSE, 0, 0) ||
            !loam_parser_expect_block_end(parser) || !loam_parse_body(parser, "elif else endif"))
            return false;
        const struct token *end = parser->token - 1;
        char kind = parser->program->source[end->start + 2]; /* el-i-f, el-s-e, en-d-if */
        if (kind != 'd') {
            if (!loam_parser_emit(parser, DO_JUMP, 0, ends))
                return false;
            ends = (int32_t)parser_here(parser) - 1;
        }
        loam_parser_land(parser, jump);
        more = kind == 'i';
        if (kind == 's' &&
            (!loam_parser_expect_block_end(parser) || !loam_parse_body(parser, "endif")))
            return false;
    }
    while (ends >= 0) {
        int32_t before = parser->program->code[ends].operand;
        loam_parser_land(parser, (size_t)ends);
        ends = before;
    }
    return loam_parser_expect_block_end(parser);
}

/* ---- for ------------------------------------------------------------------------------- */

/* Appends a copy of code[start, start + count). */
static bool emit_copy(struct parser *parser, size_t start, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct instruction copy = parser->program->code[start + i];
        if (!loam_parser_emit(parser, (enum opcode)copy.operation, copy.count, copy.operand))
            return false;
        parser->program->code[parser->program->code_count - 1].place = copy.place;
    }
    return true;
}

/* The head of a loop: what is walked over, the start, the filter, the next
 * item and its target. *next is where each turn begins. */
static bool parse_for_head(struct parser *parser, size_t *next)
{
    size_t target = parser_here(parser);
    if (!parse_target(parser))
        return false;
    size_t iterable = parser_here(parser), count = iterable - target;
    if (!loam_parser_expect_name(parser, "in") || !loam_parse_tuple(parser, false) ||
        !loam_parser_emit(parser, DO_LOOP_START, 0, 0))
        return false;
    size_t start = parser_here(parser) - 1 - count; /* after the rotation below */
    if (loam_parser_skip_name(parser, "if")) {
        if (!loam_parser_emit(parser, DO_LOOP_FILTER, 0, 0) ||
            !loam_parser_rotate(parser, target, iterable))
            return false;
        size_t filter = start + 1;
        target = filter + 1;
        if (!loam_parse_expression(parser) || !loam_parser_emit_back(parser, DO_LOOP_KEEP, filter))
            return false;
        loam_parser_land(parser, filter);
        *next = parser_here(parser);
        if (!loam_parser_emit(parser, DO_LOOP_NEXT, 0, 0) || !emit_copy(parser, target, count))
            return false;
    } else {
        *next = start + 1;
        if (!loam_parser_emit(parser, DO_LOOP_NEXT, 0, 0) ||
            !loam_parser_rotate(parser, target, iterable))
            return false;
    }
    parser->program->code[start].flags = loam_parser_skip_name(parser, "recursive");
    return loam_parser_expect_block_end(parser);
}

static bool parse_for_else(struct parser *parser)
{
    return loam_parser_emit(parser, DO_SCOPE_BEGIN, 0, 0) && loam_parser_expect_block_end(parser) &&
           loam_parse_body(parser, "endfor") && loam_parser_emit(parser, DO_SCOPE_END, 0, 0);
}

bool loam_parse_for(struct parser *parser)
{
    struct parsed_loop loop = {.outer = parser->loop, .breaks = -1};
    if (!parse_for_head(parser, &loop.next))
        return false;
    parser->loop = &loop;
    if (!loam_parse_body(parser, "else endfor") ||
        !loam_parser_emit_back(parser, DO_JUMP, loop.next))
        return false;
    parser->loop = loop.outer;
    loam_parser_land(parser, loop.next);
    bool has_else = parser->program->source[parser->token[-1].start + 1] == 'l';
    size_t finish = parser_here(parser);
    if (!loam_parser_emit(parser, DO_LOOP_FINISH, 0, 0) || (has_else && !parse_for_else(parser)))
        return false;
    loam_parser_land(parser, finish);
    while (loop.breaks >= 0) {
        int32_t before = parser->program->code[loop.breaks].operand;
        loam_parser_land(parser, (size_t)loop.breaks);
        loop.breaks = before;
    }
    return loam_parser_emit(parser, DO_LOOP_END, 0, 0) && loam_parser_expect_block_end(parser);
}

bool loam_parse_break(struct parser *parser, bool next)
{
    if (!parser->loop)
        return loam_parser_fail(parser, parser->token - 1,
                                "break and continue stand in loops only, and not in a block whose "
                                "text is kept");
    if (next)
        return loam_parser_emit_back(parser, DO_JUMP, parser->loop->next) &&
               loam_parser_expect_block_end(parser);
    if (!loam_parser_emit(parser, DO_JUMP, 0, parser->loop->breaks))
        return false;
    parser->loop->breaks = (int32_t)parser_here(parser) - 1;
    return loam_parser_expect_block_end(parser);
}

/* ---- macros ------------------------------------------------------------------------------ */

/* "(a, b=1)": defaults are computed in the macro, where a parameter is missing. */
static bool parse_parameters(struct parser *parser, struct macro_code *macro)
{
    size_t capacity = 0;
    bool defaults = false;
    if (!loam_parser_expect(parser, "("))
        return false;
    while (!loam_parser_skip(parser, ")")) {
        int32_t symbol;
        if (macro->count > 0 && !loam_parser_expect(parser, ","))
            return false;
        if (macro->count > 0 && loam_parser_skip(parser, ")"))
            break;
        if (!loam_parser_symbol(parser, &symbol))
            return false;
        if (symbol > UINT16_MAX || macro->count >= 250)
            return loam_parser_fail(parser, parser->token, "too many names");
        if (!loam_heap_grow(&parser->program->heap, (void **)&macro->parameters, &capacity,
                            macro->count + 1, sizeof *macro->parameters))
            return loam_parser_fail_memory(parser);
        macro->parameters[macro->count++] = (uint32_t)symbol;
        if (loam_parser_skip(parser, "=")) {
            size_t jump = parser_here(parser);
            defaults = true;
            if (!loam_parser_emit(parser, DO_PARAMETER_DEFAULT, (unsigned)symbol, 0) ||
                !loam_parse_expression(parser) || !loam_parser_emit(parser, DO_STORE, 0, symbol))
                return false;
            loam_parser_land(parser, jump);
        } else if (defaults) {
            return loam_parser_fail(parser, parser->token - 1,
                                    "a parameter without default behind one with");
        }
    }
    return true;
}

/* A macro whose body is being parsed. */
struct open_macro {
    size_t index, start; /* its entry, and the DO_MACRO */
    struct parsed_loop *loop;
    bool caller, positional, keywords; /* the flags of the body around it */
};

static bool begin_macro(struct parser *parser, struct open_macro *open, struct text *name)
{
    struct program *program = parser->program;
    *open = (struct open_macro){.index = program->macro_count,
                                .start = parser_here(parser),
                                .loop = parser->loop,
                                .caller = parser->uses_caller,
                                .positional = parser->uses_positional,
                                .keywords = parser->uses_keywords};
    if (!loam_heap_grow(&program->heap, (void **)&program->macros, &program->macro_capacity,
                        (uint64_t)open->index + 1, sizeof *program->macros))
        return loam_parser_fail_memory(parser);
    program->macros[program->macro_count++] = (struct macro_code){.name = name};
    parser->loop = NULL;
    parser->uses_caller = parser->uses_positional = parser->uses_keywords = false;
    return loam_parser_emit(parser, DO_MACRO, (unsigned)open->index, 0);
}

/* Names that are used in a macro inside count for the one around it as well. */
static bool end_macro(struct parser *parser, const struct open_macro *open)
{
    struct macro_code *macro = &parser->program->macros[open->index];
    if (!loam_parser_emit(parser, DO_RETURN, 0, 0))
        return false;
    loam_parser_land(parser, open->start);
    macro->takes_caller = parser->uses_caller;
    macro->takes_positional = parser->uses_positional;
    macro->takes_keywords = parser->uses_keywords;
    parser->uses_caller |= open->caller;
    parser->uses_positional |= open->positional;
    parser->uses_keywords |= open->keywords;
    parser->loop = open->loop;
    return true;
}

/* The text of a name token, which stays. */
static bool name_text(struct parser *parser, const struct token *token, struct text **out)
{
    int32_t constant;
    if (token->kind != TOKEN_NAME)
        return loam_parser_fail_token(parser, token, "expected a name, found");
    if (!loam_parser_name_constant(parser, token, &constant))
        return false;
    *out = parser->program->constants[constant].text;
    return true;
}

bool loam_parse_macro(struct parser *parser)
{
    struct open_macro open;
    struct text *name = NULL;
    int32_t symbol;
    return name_text(parser, parser->token, &name) && loam_parser_symbol(parser, &symbol) &&
           begin_macro(parser, &open, name) &&
           parse_parameters(parser, &parser->program->macros[open.index]) &&
           loam_parser_expect_block_end(parser) && loam_parse_body(parser, "endmacro") &&
           loam_parser_expect_block_end(parser) && end_macro(parser, &open) &&
           loam_parser_emit(parser, DO_STORE, 0, symbol);
}

/* A macro named "caller" of what follows, up to `end`, as it stands at the end
 * of an argument list. */
static bool emit_caller_name(struct parser *parser, struct text **name)
{
    static const char caller[] = "caller";
    int32_t constant;
    *name = loam_heap_get(&parser->program->heap, 1, sizeof **name);
    if (!*name)
        return loam_parser_fail_memory(parser);
    **name = (struct text){.bytes = caller, .length = sizeof caller - 1, .width = WIDTH_ASCII};
    loam_text_hash(*name);
    return loam_parser_constant(parser, value_text(*name), &constant) &&
           loam_parser_emit(parser, DO_CONSTANT, 0, constant);
}

/* "{% call(a, b) f(x) %}body{% endcall %}" prints f(x, caller=macro). The
 * macro begins with its parameters, so it is written before f and its
 * arguments, and moved behind them. */
bool loam_parse_call_block(struct parser *parser)
{
    struct program *program = parser->program;
    struct open_macro open;
    struct text *name;
    if (!begin_macro(parser, &open, NULL) ||
        (loam_parser_is(parser, "(") && !parse_parameters(parser, &program->macros[open.index])))
        return false;
    size_t callee = parser_here(parser);
    const struct token *at = parser->token;
    if (!loam_parse_unconditional(parser))
        return false;
    struct instruction call = program->code[program->code_count - 1];
    if (call.operation != DO_CALL || call.flags == UINT8_MAX)
        return loam_parser_fail(parser, at, "expected a call");
    program->code_count--;
    if (!emit_caller_name(parser, &name) || !loam_parser_rotate(parser, open.start, callee))
        return false;
    program->macros[open.index].name = name;
    open.start += parser_here(parser) - callee;
    if (!loam_parser_expect_block_end(parser) || !loam_parse_body(parser, "endcall") ||
        !loam_parser_expect_block_end(parser) || !end_macro(parser, &open) ||
        !loam_parser_emit(parser, DO_CALL, call.count, 0))
        return false;
    program->code[program->code_count - 1].flags = (uint8_t)(call.flags + 1);
    program->code[program->code_count - 1].place = call.place;
    return loam_parser_emit(parser, DO_PRINT, 0, 0);
}

/* ---- filter and generation ------------------------------------------------------------------ */

bool loam_parse_filter_block(struct parser *parser)
{
    size_t start = parser_here(parser);
    if (!loam_parse_filters(parser, true))
        return false;
    size_t body = parser_here(parser);
    return loam_parser_expect_block_end(parser) && parse_captured(parser, "endfilter") &&
           loam_parser_expect_block_end(parser) && loam_parser_rotate(parser, start, body) &&
           loam_parser_emit(parser, DO_PRINT, 0, 0);
}

/* Marks what the model wrote, for training: here its body alone. */
bool loam_parse_generation(struct parser *parser)
{
    struct parsed_loop *loop = parser->loop;
    parser->loop = NULL;
    if (!loam_parser_expect_block_end(parser) || !loam_parser_emit(parser, DO_SCOPE_BEGIN, 0, 0) ||
        !loam_parse_body(parser, "endgeneration") || !loam_parser_expect_block_end(parser) ||
        !loam_parser_emit(parser, DO_SCOPE_END, 0, 0))
        return false;
    parser->loop = loop;
    return true;
}
