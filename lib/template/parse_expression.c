/* SPDX-License-Identifier: MIT */
/* Expressions, by precedence climbing: operators of a level or higher. */
#include "template/parser.h"

enum level {
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_CONCATENATE, /* binds closer than a sum, as in Jinja */
    LEVEL_PRODUCT,
    LEVEL_POWER,
    LEVEL_NONE
};

static bool parse_level(struct parser *parser, int least);

/* ---- calls ------------------------------------------------------------------------ */

/* Behind "(": arguments up to ")". */
static bool parse_arguments(struct parser *parser, unsigned *positional, unsigned *keywords)
{
    while (!loam_parser_skip(parser, ")")) {
        int32_t constant;
        if (*positional + *keywords > 0) {
            if (!loam_parser_expect(parser, ","))
                return false;
            if (loam_parser_skip(parser, ")"))
                break;
        }
        if (loam_parser_is(parser, "*") || loam_parser_is(parser, "**"))
            return loam_parser_fail(parser, parser->token,
                                    "arguments by * and ** are not supported");
        struct token *name = parser->token;
        if (name->kind == TOKEN_NAME && name[1].kind == TOKEN_OPERATOR &&
            name[1].operator[0] == '=' && !name[1].operator[1]) {
            parser->token += 2;
            if (!loam_parser_name_constant(parser, name, &constant) ||
                !loam_parser_emit(parser, DO_CONSTANT, 0, constant))
                return false;
            ++*keywords;
        } else if (*keywords) {
            return loam_parser_fail(parser, name, "a positional argument behind one with a name");
        } else {
            ++*positional;
        }
        if (*keywords > UINT8_MAX)
            return loam_parser_fail(parser, name, "too many arguments");
        if (!loam_parse_expression(parser))
            return false;
    }
    return true;
}

static bool emit_call(struct parser *parser, const struct token *at, enum opcode operation,
                      unsigned positional, unsigned keywords, int64_t operand)
{
    if (!loam_parser_emit(parser, operation, positional, operand))
        return false;
    struct instruction *call = &parser->program->code[parser->program->code_count - 1];
    call->flags = (uint8_t)keywords;
    call->place = at->start;
    return true;
}

bool loam_parse_call(struct parser *parser)
{
    const struct token *at = parser->token;
    unsigned positional = 0, keywords = 0;
    return loam_parser_expect(parser, "(") && parse_arguments(parser, &positional, &keywords) &&
           emit_call(parser, at, DO_CALL, positional, keywords, 0);
}

/* ---- literals and names ------------------------------------------------------------ */

static bool emit_value(struct parser *parser, struct value value)
{
    int32_t constant;
    return loam_parser_constant(parser, value, &constant) &&
           loam_parser_emit(parser, DO_CONSTANT, 0, constant);
}

static bool parse_name(struct parser *parser)
{
    static const char *const reserved[] = {"and", "or", "not", "if", "else", "elif", "in", "is"};
    static const char *const words[] = {"true", "True", "false", "False", "none", "None"};
    int32_t symbol;
    for (size_t i = 0; i < LOAM_COUNT_OF(reserved); i++)
        if (loam_parser_is_name(parser, reserved[i]))
            return loam_parser_fail_token(parser, parser->token, "expected an expression, found");
    for (size_t i = 0; i < LOAM_COUNT_OF(words); i++)
        if (loam_parser_is_name(parser, words[i]))
            return emit_value(parser, i < 4 ? value_boolean(i < 2) : value_none()) &&
                   parser->token++;
    uint32_t place = parser->token->start;
    if (!loam_parser_symbol(parser, &symbol) || !loam_parser_emit(parser, DO_LOAD, 0, symbol))
        return false;
    parser->program->code[parser->program->code_count - 1].place = place;
    return true;
}

static bool parse_list(struct parser *parser)
{
    int64_t count = 0;
    parser->token++;
    for (; !loam_parser_skip(parser, "]"); count++) {
        if (count > 0 && !loam_parser_expect(parser, ","))
            return false;
        if (count > 0 && loam_parser_skip(parser, "]"))
            break;
        if (!loam_parse_expression(parser))
            return false;
    }
    return loam_parser_emit(parser, DO_LIST, 0, count);
}

static bool parse_mapping(struct parser *parser)
{
    int64_t count = 0;
    parser->token++;
    for (; !loam_parser_skip(parser, "}"); count++) {
        if (count > 0 && !loam_parser_expect(parser, ","))
            return false;
        if (count > 0 && loam_parser_skip(parser, "}"))
            break;
        if (!loam_parse_expression(parser) || !loam_parser_expect(parser, ":") ||
            !loam_parse_expression(parser))
            return false;
    }
    return loam_parser_emit(parser, DO_MAPPING, 0, count);
}

static bool parse_primary(struct parser *parser)
{
    switch (parser->token->kind) {
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_STRING:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return loam_parse_literal(parser);
    default:
        break;
    }
    if (loam_parser_is(parser, "["))
        return parse_list(parser);
    if (loam_parser_is(parser, "{"))
        return parse_mapping(parser);
    if (!loam_parser_skip(parser, "("))
        return loam_parser_fail_token(parser, parser->token, "expected an expression, found");
    if (loam_parser_skip(parser, ")"))
        return loam_parser_emit(parser, DO_TUPLE, 0, 0);
    return loam_parse_tuple(parser, true) && loam_parser_expect(parser, ")");
}

/* ---- what follows a value ----------------------------------------------------------- */

/* Behind the key, code[start] and on. */
static bool emit_subscript(struct parser *parser, size_t start)
{
    const struct program *program = parser->program;
    struct instruction *key = &program->code[start];
    if (parser_here(parser) != start + 1 || key->operation != DO_CONSTANT ||
        program->constants[key->operand].kind != VALUE_STRING)
        return loam_parser_emit(parser, DO_SUBSCRIPT, 0, 0);
    key->operation = DO_ITEM;
    return true;
}

/* Behind "[": one index, several (a tuple), or a slice. */
static bool parse_subscript(struct parser *parser)
{
    const struct token *at = parser->token;
    size_t start = parser_here(parser);
    int parts = 0;
    if (!loam_parser_is(parser, ":")) {
        if (!loam_parse_tuple(parser, true))
            return false;
        if (loam_parser_skip(parser, "]")) {
            if (!emit_subscript(parser, start))
                return false;
            parser->program->code[parser->program->code_count - 1].place = at->start;
            return true;
        }
        parts = 1;
    } else {
        parts = 1;
        if (!emit_value(parser, value_none()))
            return false;
    }
    for (; parts < 3; parts++) {
        bool given = loam_parser_skip(parser, ":") && !loam_parser_is(parser, ":") &&
                     !loam_parser_is(parser, "]");
        if (!(given ? loam_parse_expression(parser) : emit_value(parser, value_none())))
            return false;
    }
    return loam_parser_expect(parser, "]") && loam_parser_emit(parser, DO_SLICE, 0, 0);
}

static bool parse_attribute(struct parser *parser)
{
    const struct token *token = parser->token;
    int32_t constant;
    if (token->kind == TOKEN_INTEGER)
        return loam_parse_literal(parser) && loam_parser_emit(parser, DO_SUBSCRIPT, 0, 0);
    if (token->kind != TOKEN_NAME)
        return loam_parser_fail_token(parser, token, "expected a name or a number, found");
    if (!loam_parser_name_constant(parser, token, &constant) ||
        !loam_parser_emit(parser, DO_ATTRIBUTE, 0, constant))
        return false;
    parser->token++;
    return true;
}

static bool parse_postfix(struct parser *parser)
{
    for (;;) {
        bool good = loam_parser_skip(parser, ".")   ? parse_attribute(parser)
                    : loam_parser_skip(parser, "[") ? parse_subscript(parser)
                    : loam_parser_is(parser, "(")   ? loam_parse_call(parser)
                                                    : true;
        if (!good)
            return false;
        if (!loam_parser_is(parser, ".") && !loam_parser_is(parser, "[") &&
            !loam_parser_is(parser, "("))
            return true;
    }
}

/* The native of a table that the next token names. */
static bool parse_native(struct parser *parser, const struct native *table, int64_t *out,
                         const char *missing)
{
    const struct token *token = parser->token;
    if (token->kind != TOKEN_NAME)
        return loam_parser_fail_token(parser, token, "expected a name, found");
    const struct native *native =
        loam_native_find(table, parser->program->source + token->start, token->length);
    if (!native)
        return loam_parser_fail_token(parser, token, missing);
    *out = native - table;
    parser->token++;
    return true;
}

bool loam_parse_filters(struct parser *parser, bool first_is_bare)
{
    while (first_is_bare || loam_parser_skip(parser, "|")) {
        const struct token *at = parser->token;
        unsigned positional = 0, keywords = 0;
        int64_t filter = 0;
        first_is_bare = false;
        if (!parse_native(parser, loam_filters, &filter, "no filter named") ||
            (loam_parser_skip(parser, "(") && !parse_arguments(parser, &positional, &keywords)) ||
            !emit_call(parser, at, DO_FILTER, positional, keywords, filter))
            return false;
    }
    return !parser->status;
}

/* A test's argument may stand without parentheses. */
static bool has_bare_argument(const struct parser *parser)
{
    static const char *const others[] = {"else", "or", "and", "is", "if", "in", "not", "elif"};
    int kind = parser->token->kind;
    if (kind == TOKEN_STRING || kind == TOKEN_INTEGER || kind == TOKEN_FLOAT ||
        loam_parser_is(parser, "[") || loam_parser_is(parser, "{"))
        return true;
    for (size_t i = 0; i < LOAM_COUNT_OF(others); i++)
        if (loam_parser_is_name(parser, others[i]))
            return false;
    return kind == TOKEN_NAME;
}

/* Behind "is". */
static bool parse_test(struct parser *parser)
{
    bool negated = loam_parser_skip_name(parser, "not");
    const struct token *at = parser->token;
    unsigned positional = 0, keywords = 0;
    int64_t test = 0;
    if (!parse_native(parser, loam_tests, &test, "no test named"))
        return false;
    if (loam_parser_skip(parser, "(")) {
        if (!parse_arguments(parser, &positional, &keywords))
            return false;
    } else if (has_bare_argument(parser)) {
        positional = 1;
        if (!parse_primary(parser) || !parse_postfix(parser))
            return false;
    }
    return emit_call(parser, at, DO_TEST, positional, keywords, test) &&
           (!negated || loam_parser_emit(parser, DO_NOT, 0, 0));
}

/* Filters, tests and calls of what they give. */
static bool parse_filters_and_tests(struct parser *parser)
{
    for (;;) {
        if (loam_parser_is(parser, "|")) {
            if (!loam_parse_filters(parser, false))
                return false;
        } else if (loam_parser_skip_name(parser, "is")) {
            if (!parse_test(parser))
                return false;
        } else if (loam_parser_is(parser, "(")) {
            if (!loam_parse_call(parser))
                return false;
        } else {
            return true;
        }
    }
}

/* ---- operators ---------------------------------------------------------------------- */

static bool parse_unary(struct parser *parser, bool with_filters)
{
    bool negative = loam_parser_is(parser, "-");
    if (!loam_parser_enter(parser))
        return false;
    if (negative || loam_parser_is(parser, "+")) {
        parser->token++;
        if (!parse_unary(parser, false) ||
            !loam_parser_emit(parser, negative ? DO_NEGATE : DO_POSITIVE, 0, 0))
            return false;
    } else if (!parse_primary(parser)) {
        return false;
    }
    if (!parse_postfix(parser) || (with_filters && !parse_filters_and_tests(parser)))
        return false;
    parser->depth--;
    return true;
}

struct operator
{
    const char *text;
    uint8_t level, operation, kind;
};

/* The operator at the present token, which may be "not in"; NULL: none. */
static const struct operator* find_operator(const struct parser *parser)
{
    static const struct operator operators[] = {
        {"+", LEVEL_SUM, DO_SUM, BINARY_ADD},
        {"-", LEVEL_SUM, DO_BINARY, BINARY_SUBTRACT},
        {"~", LEVEL_CONCATENATE, DO_SUM, BINARY_CONCATENATE},
        {"*", LEVEL_PRODUCT, DO_BINARY, BINARY_MULTIPLY},
        {"/", LEVEL_PRODUCT, DO_BINARY, BINARY_DIVIDE},
        {"//", LEVEL_PRODUCT, DO_BINARY, BINARY_FLOOR_DIVIDE},
        {"%", LEVEL_PRODUCT, DO_BINARY, BINARY_REMAINDER},
        {"**", LEVEL_POWER, DO_BINARY, BINARY_POWER},
        {"==", LEVEL_COMPARE, DO_COMPARE, COMPARE_EQUAL},
        {"!=", LEVEL_COMPARE, DO_COMPARE, COMPARE_UNEQUAL},
        {"<", LEVEL_COMPARE, DO_COMPARE, COMPARE_LESS},
        {"<=", LEVEL_COMPARE, DO_COMPARE, COMPARE_LESS_EQUAL},
        {">", LEVEL_COMPARE, DO_COMPARE, COMPARE_GREATER},
        {">=", LEVEL_COMPARE, DO_COMPARE, COMPARE_GREATER_EQUAL},
    };
    static const struct operator words[] = {
        {"in", LEVEL_COMPARE, DO_COMPARE, COMPARE_IN},
        {"not", LEVEL_COMPARE, DO_COMPARE, COMPARE_NOT_IN},
        {"and", LEVEL_AND, DO_AND, 0},
        {"or", LEVEL_OR, DO_OR, 0},
    };
    if (parser->token->kind == TOKEN_OPERATOR)
        for (size_t i = 0; i < LOAM_COUNT_OF(operators); i++)
            if (loam_parser_is(parser, operators[i].text))
                return &operators[i];
    if (parser->token->kind == TOKEN_NAME)
        for (size_t i = 0; i < LOAM_COUNT_OF(words); i++)
            if (loam_parser_is_name(parser, words[i].text))
                return &words[i];
    return NULL;
}

/* Behind the left side: "and" and "or" skip the right one. */
static bool parse_short_circuit(struct parser *parser, const struct operator* operator)
{
    size_t jump = parser_here(parser);
    if (!loam_parser_emit(parser, (enum opcode) operator->operation, 0, 0) ||
        !parse_level(parser, operator->level + 1))
        return false;
    loam_parser_land(parser, jump);
    return true;
}

/* a < b < c: every comparison but the last leaves its right side, or false and
 * jumps to the end. `*last` is the comparison before, or SIZE_MAX; `*chain`
 * the last of those that jump. */
static bool parse_comparison(struct parser *parser, const struct operator* operator, size_t * last,
                             int32_t *chain)
{
    if (*last != SIZE_MAX) {
        parser->program->code[*last].operation = DO_COMPARE_CHAIN;
        parser->program->code[*last].operand = *chain;
        *chain = (int32_t)*last;
    }
    const struct token *at = parser->token - 1;
    if (!parse_level(parser, LEVEL_SUM))
        return false;
    *last = parser_here(parser);
    if (!loam_parser_emit(parser, DO_COMPARE, operator->kind, 0))
        return false;
    parser->program->code[*last].place = at->start;
    return true;
}

static void land_chain(struct parser *parser, int32_t chain)
{
    while (chain >= 0) {
        int32_t before = parser->program->code[chain].operand;
        loam_parser_land(parser, (size_t)chain);
        chain = before;
    }
}

/* Behind the right side of + or ~: the end of a sum, or the beginning. `*sum` is
 * the one that the left side ends with, or SIZE_MAX: it goes on here, unless the
 * right side calls something, which has to be after the left side's errors. */
static bool emit_sum(struct parser *parser, const struct operator* operator, uint32_t place,
                     size_t *sum)
{
    struct program *program = parser->program;
    unsigned count = 2;
    bool calls = false;
    for (size_t i = *sum; i < program->code_count && !calls; i++)
        calls = program->code[i].operation == DO_CALL;
    struct instruction *left = *sum == SIZE_MAX ? NULL : &program->code[*sum];
    if (left && !calls && left->operand == operator->kind && left->count<UINT16_MAX) {
        count = left->count + 1u;
        place = left->place;
        memmove(left, left + 1, (program->code_count - *sum - 1) * sizeof *left);
        program->code_count--;
        parser->landed -= parser->landed > *sum;
    }
    *sum = parser_here(parser);
    if (!loam_parser_emit(parser, DO_SUM, count, operator->kind))
        return false;
    program->code[*sum].place = place;
    return true;
}

/* Operators at and above a level, behind the first operand. */
static bool parse_operators(struct parser *parser, int least)
{
    size_t last = SIZE_MAX, sum = SIZE_MAX;
    int32_t chain = -1;
    const struct operator* operator;
    while ((operator= find_operator(parser)) != NULL && operator->level >= least) {
        const struct token *at = parser->token++;
        bool good = true;
        if (operator->kind == COMPARE_NOT_IN && operator->operation == DO_COMPARE)
            good = loam_parser_expect_name(parser, "in");
        if (good && operator->operation == DO_COMPARE) {
            good = parse_comparison(parser, operator, & last, &chain);
        } else if (good && operator->operation != DO_BINARY && operator->operation != DO_SUM) {
            land_chain(parser, chain);
            last = SIZE_MAX;
            chain = -1;
            good = parse_short_circuit(parser, operator);
        } else if (good) {
            good = parse_level(parser, operator->level + 1) &&
                   (operator->operation == DO_SUM
                        ? emit_sum(parser, operator, at->start, &sum)
                        : loam_parser_emit(parser, DO_BINARY, 0, operator->kind));
            if (good && operator->operation == DO_BINARY)
                parser->program->code[parser->program->code_count - 1].place = at->start;
        }
        if (operator->operation != DO_SUM)
            sum = SIZE_MAX;
        if (!good)
            return false;
    }
    land_chain(parser, chain);
    return true;
}

static bool parse_level(struct parser *parser, int least)
{
    if (!loam_parser_enter(parser))
        return false;
    if (least <= LEVEL_NOT && loam_parser_skip_name(parser, "not")) {
        if (!parse_level(parser, LEVEL_NOT) || !loam_parser_emit(parser, DO_NOT, 0, 0))
            return false;
        /* "not a == b" negates the comparison: only looser operators follow. */
    } else if (!parse_unary(parser, true)) {
        return false;
    }
    if (!parse_operators(parser, least))
        return false;
    parser->depth--;
    return true;
}

bool loam_parse_unconditional(struct parser *parser)
{
    return parse_level(parser, LEVEL_OR);
}

/* Behind "a if", a being code[start, middle): the condition, and what else. */
static bool parse_condition(struct parser *parser, size_t start)
{
    size_t middle = parser_here(parser);
    if (!parse_level(parser, LEVEL_OR) || !loam_parser_emit(parser, DO_JUMP_IF_FALSE, 0, 0))
        return false;
    size_t jump = start + parser_here(parser) - middle - 1;
    if (!loam_parser_rotate(parser, start, middle))
        return false;
    size_t end = parser_here(parser);
    if (!loam_parser_emit(parser, DO_JUMP, 0, 0))
        return false;
    loam_parser_land(parser, jump);
    if (!(loam_parser_skip_name(parser, "else") ? loam_parse_expression(parser)
                                                : loam_parser_emit(parser, DO_UNDEFINED, 0, 0)))
        return false;
    loam_parser_land(parser, end);
    return true;
}

bool loam_parse_expression(struct parser *parser)
{
    unsigned depth = parser->depth;
    size_t start = parser_here(parser);
    if (!loam_parser_enter(parser) || !parse_level(parser, LEVEL_OR))
        return false;
    while (loam_parser_skip_name(parser, "if"))
        if (!loam_parser_enter(parser) || !parse_condition(parser, start))
            return false;
    parser->depth = depth;
    return true;
}

bool loam_parse_tuple(struct parser *parser, bool conditional)
{
    int64_t count = 0;
    bool comma = false;
    do {
        int kind = parser->token->kind;
        if (count > 0 && (kind == TOKEN_BLOCK_END || kind == TOKEN_PRINT_END ||
                          loam_parser_is(parser, ")") || loam_parser_is(parser, "]")))
            break;
        if (!(conditional ? loam_parse_expression(parser) : loam_parse_unconditional(parser)))
            return false;
        count++;
        comma |= loam_parser_is(parser, ",");
    } while (loam_parser_skip(parser, ","));
    return !comma || loam_parser_emit(parser, DO_TUPLE, 0, count);
}
