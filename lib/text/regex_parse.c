/* SPDX-License-Identifier: MIT */
/*
 * One pass, no recursion: operations are appended as the text is read. A
 * quantifier or a bar rewrites what stands behind the last `start`; since
 * jumps are relative, what is moved or copied stays right.
 */
#include "base/utf8.h"
#include "text/regex.h"

enum { DEPTH = 16, UNBOUNDED = -1, MOST_REPEATS = 1000 };

struct group {
    size_t start, alternative; /* first operations: of the group, of its present alternative */
    bool fold;                 /* (?i: */
};

struct parser {
    struct regex_program *program;
    const char *text;
    size_t length, at;
    struct group groups[DEPTH];
    size_t depth;
    loam_error *error;
};

static loam_status fail(const struct parser *p, const char *what)
{
    return loam_fail(p->error, LOAM_UNSUPPORTED, "split pattern, byte %zu: %s", p->at, what);
}

static bool take(struct parser *p, const char *text)
{
    size_t length = strlen(text);
    if (p->length - p->at < length || memcmp(p->text + p->at, text, length) != 0)
        return false;
    p->at += length;
    return true;
}

/* The next character, or false at the end or at bytes that are none. */
static bool take_character(struct parser *p, uint32_t *c)
{
    if (p->at == p->length)
        return false;
    p->at += loam_utf8_decode(c, p->text + p->at, p->length - p->at);
    return *c <= 0x10FFFF;
}

/* ---- sets ------------------------------------------------------------------ */

static const struct regex_set empty_set = {.also = -1};

static loam_status add_range(struct parser *p, struct regex_set *set, uint32_t low, uint32_t high)
{
    struct regex_sets *sets = p->program->sets;
    if (low > high || sets->range_count >= 4096)
        return fail(p, low > high ? "a range from high to low" : "too many ranges");
    if (set->count == 0)
        set->first = (uint32_t)sets->range_count;
    if (!loam_memory_grow(sets->memory, (void **)&sets->ranges, &sets->range_capacity,
                          sets->range_count + 1, sizeof *sets->ranges))
        return loam_fail_memory(p->error, sizeof *sets->ranges);
    sets->ranges[sets->range_count++] = (struct regex_range){low, high};
    set->count++;
    return LOAM_OK;
}

/* A character, under (?i: also the others that fold to it: the two beyond ASCII
 * that fold to a letter of ASCII are U+017F and U+212A. */
static loam_status add_character(struct parser *p, struct regex_set *set, uint32_t c)
{
    loam_status status = add_range(p, set, c, c);
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (!p->groups[p->depth].fold || status)
        return status;
    if (!letter && c >= 0x80)
        return fail(p, "case is ignored for letters of ASCII only");
    if (letter)
        status = add_range(p, set, c ^ 0x20, c ^ 0x20);
    if (!status && (c | 0x20) == 's' && letter)
        status = add_range(p, set, 0x17F, 0x17F);
    if (!status && (c | 0x20) == 'k' && letter)
        status = add_range(p, set, 0x212A, 0x212A);
    return status;
}

static bool same_set(const struct regex_sets *sets, const struct regex_set *a,
                     const struct regex_set *b)
{
    return a->categories == b->categories && a->scripts == b->scripts && a->space == b->space &&
           a->not_space == b->not_space && a->negated == b->negated && a->also == b->also &&
           a->count == b->count &&
           (a->count == 0 || memcmp(sets->ranges + a->first, sets->ranges + b->first,
                                    a->count * sizeof *sets->ranges) == 0);
}

/* The number of a set; equal ones have one. */
static loam_status keep_set(struct parser *p, const struct regex_set *set, int32_t *out)
{
    struct regex_sets *sets = p->program->sets;
    uint32_t i = 0;
    while (i < sets->count && !same_set(sets, &sets->sets[i], set))
        i++;
    if (i == REGEX_SETS)
        return fail(p, "too many different sets of characters");
    if (i == sets->count)
        sets->sets[sets->count++] = *set;
    else if (set->count && set->first + set->count == sets->range_count)
        sets->range_count = set->first; /* its ranges are there already */
    *out = (int32_t)i;
    return LOAM_OK;
}

/* {Lu} or L behind \p or \P. */
static loam_status parse_property(struct parser *p, struct regex_set *set, bool negated)
{
    const char *name = p->text + p->at;
    size_t length = 1;
    if (take(p, "{")) {
        const char *close = memchr(p->text + p->at, '}', p->length - p->at);
        if (!close)
            return fail(p, "\\p{ without }");
        name = p->text + p->at;
        length = (size_t)(close - name);
        p->at += length + 1;
    } else if (p->at++ >= p->length) {
        return fail(p, "\\p at the end");
    }
    uint32_t categories = loam_unicode_category_mask(name, length);
    int script = loam_unicode_script_named(name, length);
    if (!categories && (script < 0 || negated))
        return fail(p, "unknown property of characters");
    if (categories)
        set->categories |= negated ? ~categories : categories;
    else
        set->scripts |= (uint32_t)1 << script;
    return LOAM_OK;
}

/* Hexadecimal digits of \x41, \x{1F600} or \u0041. */
static loam_status parse_code(struct parser *p, size_t digits, uint32_t *out)
{
    bool braces = take(p, "{");
    size_t count = 0;
    *out = 0;
    for (; p->at < p->length && count < (braces ? 6 : digits); count++, p->at++) {
        char c = p->text[p->at], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            *out = *out * 16 + (uint32_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            *out = *out * 16 + (uint32_t)(letter - 'a' + 10);
        else
            break;
    }
    if (count == 0 || (!braces && count != digits) || *out > 0x10FFFF || (braces && !take(p, "}")))
        return fail(p, "expected hexadecimal digits");
    return LOAM_OK;
}

/* \w as Oniguruma has it: alphabetic characters, marks, digits, connecting
 * punctuation, and the numbers of Latin-1. */
static loam_status add_word(struct parser *p, struct regex_set *set)
{
    static const struct regex_range others[] = {
        {0xB2, 0xB3},       {0xB9, 0xB9},       {0xBC, 0xBE},      {0x24B6, 0x24E9},
        {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
    loam_status status = LOAM_OK;
    set->categories |= loam_unicode_category_mask("L", 1) | loam_unicode_category_mask("M", 1) |
                       1u << CATEGORY_ND | 1u << CATEGORY_NL | 1u << CATEGORY_PC;
    for (size_t i = 0; !status && i < LOAM_COUNT_OF(others); i++)
        status = add_range(p, set, others[i].low, others[i].high);
    return status;
}

/* What follows a backslash: a class, which is added to the set, or a single
 * character, which is left in *c; *c is UINT32_MAX for a class. */
static loam_status parse_escape(struct parser *p, struct regex_set *set, uint32_t *c)
{
    static const char names[] = "rntfv", values[] = "\r\n\t\f\v";
    uint32_t digits = (uint32_t)1 << CATEGORY_ND;
    uint32_t letter;
    if (!take_character(p, &letter))
        return fail(p, "a backslash at the end");
    const char *named = letter < 0x80 && letter ? strchr(names, (int)letter) : NULL;
    *c = UINT32_MAX;
    if (letter == 'p' || letter == 'P')
        return parse_property(p, set, letter == 'P');
    if (letter == 'x' || letter == 'u')
        return parse_code(p, letter == 'x' ? 2 : 4, c);
    if (letter == 's')
        set->space = true;
    else if (letter == 'S')
        set->not_space = true;
    else if (letter == 'd' || letter == 'D')
        set->categories |= letter == 'd' ? digits : ~digits;
    else if (letter == 'w')
        return add_word(p, set);
    else if (letter == 'W')
        return fail(p, "\\W is supported as [^\\w] only");
    else if (named)
        *c = (unsigned char)values[named - names];
    else if ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z')
        return fail(p, "unknown escape");
    else if (letter >= '0' && letter <= '9')
        return fail(p, "references to groups are not supported");
    else
        *c = letter;
    return LOAM_OK;
}

/* One character or class of a set in brackets. */
static loam_status parse_member(struct parser *p, struct regex_set *set, uint32_t *c)
{
    if (!take_character(p, c))
        return fail(p, "[ without ]");
    return *c == '\\' ? parse_escape(p, set, c) : LOAM_OK;
}

/* Behind "[", up to "]". "&&[...]" is read by the caller. */
static loam_status parse_members(struct parser *p, struct regex_set *set)
{
    *set = empty_set;
    set->negated = take(p, "^");
    size_t depth = 0; /* of sets inside: what is in them is in this one */
    for (bool first = true; first || depth || (p->at < p->length && p->text[p->at] != ']');
         first = false) {
        uint32_t low, high;
        if (depth && take(p, "]")) {
            depth--;
            continue;
        }
        if (p->length - p->at >= 2 && memcmp(p->text + p->at, "&&", 2) == 0)
            return LOAM_OK;
        if (take(p, "[")) {
            if (p->at < p->length && (p->text[p->at] == '^' || p->text[p->at] == ':'))
                return fail(p, "of sets inside a set only plain ones are supported");
            depth++;
            continue;
        }
        loam_status status = parse_member(p, set, &low);
        high = low;
        bool range = !status && low != UINT32_MAX && p->length - p->at >= 2 &&
                     p->text[p->at] == '-' && p->text[p->at + 1] != ']';
        if (range) {
            p->at++;
            status = parse_member(p, set, &high);
            if (!status && high == UINT32_MAX)
                return fail(p, "a range with a class");
        }
        if (!status && low != UINT32_MAX)
            status = low == high ? add_character(p, set, low) : add_range(p, set, low, high);
        if (!status && range && p->groups[p->depth].fold)
            return fail(p, "a range that ignores case");
        if (status)
            return status;
    }
    return take(p, "]") ? LOAM_OK : fail(p, "[ without ]");
}

static loam_status parse_brackets(struct parser *p, int32_t *out)
{
    struct regex_set set, also;
    loam_status status = parse_members(p, &set);
    if (!status && take(p, "&&")) {
        if (set.negated || !take(p, "["))
            return fail(p, "expected [^...&&[...]] without the ^");
        status = parse_members(p, &also);
        if (!status)
            status = keep_set(p, &also, &set.also);
        if (!status && !take(p, "]"))
            return fail(p, "[ without ]");
    }
    return status ? status : keep_set(p, &set, out);
}

/* A single character, class or set at the present place. */
static loam_status parse_set(struct parser *p, int32_t *out)
{
    struct regex_set set = empty_set;
    uint32_t c;
    loam_status status = LOAM_OK;
    if (take(p, "["))
        return parse_brackets(p, out);
    if (take(p, ".")) {
        set.negated = true;
        status = add_range(p, &set, '\n', '\n');
        return status ? status : keep_set(p, &set, out);
    }
    if (!take_character(p, &c))
        return fail(p, "bytes that are no character");
    if (c == '\\')
        status = parse_escape(p, &set, &c);
    else if (c < 0x80 && c && strchr("^*+?{", (int)c))
        return fail(p, c == '^' ? "^ is not supported" : "nothing to repeat");
    if (!status && c != UINT32_MAX)
        status = add_character(p, &set, c);
    return status ? status : keep_set(p, &set, out);
}

/* ---- operations ------------------------------------------------------------ */

static loam_status emit(struct parser *p, struct regex_op op)
{
    struct regex_program *program = p->program;
    if (program->count >= REGEX_OPS)
        return fail(p, "the expression is too large");
    if (!loam_memory_grow(program->sets->memory, (void **)&program->ops, &program->capacity,
                          program->count + 1, sizeof op))
        return loam_fail_memory(p->error, sizeof op);
    program->ops[program->count++] = op;
    return LOAM_OK;
}

static loam_status emit_copy(struct parser *p, size_t count)
{
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && i < count; i++)
        status = emit(p, p->program->scratch[i]);
    return status;
}

static struct regex_op split(bool lazy, int32_t in, int32_t out)
{
    return (struct regex_op){.kind = REGEX_SPLIT, .a = lazy ? out : in, .b = lazy ? in : out};
}

struct quantifier {
    int32_t least, most;
    bool lazy, possessive;
};

/* What repeats without end: body[count], the last mandatory copy already there
 * if there is one. */
static loam_status emit_loop(struct parser *p, const struct quantifier *q, size_t count)
{
    int32_t size = (int32_t)count;
    if (q->least > 0)
        return emit(p, split(q->lazy, -size, 1));
    loam_status status = emit(p, split(q->lazy, 1, size + 2));
    if (!status)
        status = emit_copy(p, count);
    return status ? status : emit(p, (struct regex_op){.kind = REGEX_JUMP, .a = -size - 1});
}

/* Optional copies, each only behind the one before. */
static loam_status emit_options(struct parser *p, const struct quantifier *q, size_t count)
{
    int32_t copies = q->most - q->least, size = (int32_t)count + 1;
    loam_status status = LOAM_OK;
    for (int32_t i = 0; !status && i < copies; i++) {
        /* A possessive one that stops early goes to the look-ahead behind the
         * jump over it. */
        int32_t end = (copies - i) * size + q->possessive;
        status = emit(p, split(q->lazy, 1, end));
        if (!status)
            status = emit_copy(p, count);
    }
    if (!status && q->possessive && copies > 0)
        status = emit(p, (struct regex_op){.kind = REGEX_JUMP, .a = 2});
    return status;
}

/* Repeats the operations from `start` on. A possessive repetition of one
 * character ends only where that character does not follow. */
static loam_status repeat(struct parser *p, size_t start, const struct quantifier *q)
{
    struct regex_program *program = p->program;
    size_t count = program->count - start;
    if (q->possessive && (count != 1 || program->ops[start].kind != REGEX_SET))
        return fail(p, "possessive quantifiers are supported behind single characters only");
    if (!loam_memory_grow(program->sets->memory, (void **)&program->scratch,
                          &program->scratch_capacity, count, sizeof *program->scratch))
        return loam_fail_memory(p->error, count * sizeof *program->scratch);
    if (count)
        memcpy(program->scratch, program->ops + start, count * sizeof *program->ops);
    program->count = start;
    loam_status status = LOAM_OK;
    for (int32_t i = 0; !status && i < q->least; i++)
        status = emit_copy(p, count);
    if (!status)
        status = q->most == UNBOUNDED ? emit_loop(p, q, count) : emit_options(p, q, count);
    if (!status && q->possessive && q->most != q->least)
        status = emit(p, (struct regex_op){
                             .kind = REGEX_LOOK, .negated = true, .set = program->scratch[0].set});
    return status;
}

static bool take_number(struct parser *p, int32_t *out)
{
    size_t start = p->at;
    for (*out = 0; p->at < p->length && p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++)
        if (*out <= MOST_REPEATS)
            *out = *out * 10 + (p->text[p->at] - '0');
    return p->at > start;
}

/* Whether a quantifier stands here; if so it is read. */
static bool take_quantifier(struct parser *p, struct quantifier *q)
{
    size_t start = p->at;
    bool interval = false;
    *q = (struct quantifier){.most = UNBOUNDED};
    if (take(p, "+"))
        q->least = 1;
    else if (take(p, "?"))
        q->most = 1;
    else if (take(p, "{")) {
        bool number = take_number(p, &q->least);
        q->most = q->least;
        if (number && take(p, ",") && !take_number(p, &q->most))
            q->most = UNBOUNDED;
        if (!number || !take(p, "}")) {
            p->at = start;
            return false;
        }
        interval = p->program->oniguruma;
    } else if (!take(p, "*"))
        return false;
    if (interval && q->least == q->most)
        return true; /* {n}? and {n}+ are quantifiers of their own there */
    q->lazy = take(p, "?");
    q->possessive = !q->lazy && !interval && take(p, "+");
    return true;
}

static loam_status quantify(struct parser *p, size_t start)
{
    struct quantifier q;
    loam_status status = LOAM_OK;
    while (!status && take_quantifier(p, &q)) {
        if (q.least > MOST_REPEATS || q.most > MOST_REPEATS ||
            (q.most != UNBOUNDED && q.most < q.least))
            return fail(p, "a quantifier out of range");
        status = repeat(p, start, &q);
        if (!p->program->oniguruma)
            break;
    }
    return status;
}

/* ---- groups ---------------------------------------------------------------- */

/* Makes room at `place` for a choice between what follows there and what will
 * follow behind a jump that is not yet resolved: its target is 0. */
static loam_status end_alternative(struct parser *p)
{
    struct regex_program *program = p->program;
    struct group *group = &p->groups[p->depth];
    loam_status status = emit(p, (struct regex_op){.kind = REGEX_JUMP});
    if (!status)
        status = emit(p, (struct regex_op){.kind = REGEX_JUMP});
    if (status)
        return status;
    struct regex_op *first = program->ops + group->alternative;
    size_t moved = program->count - 1 - group->alternative;
    memmove(first + 1, first, moved * sizeof *first);
    *first = split(false, 1, (int32_t)moved + 1);
    group->alternative = program->count;
    return LOAM_OK;
}

/* Jumps of the group that end_alternative left open lead behind its end. A
 * resolved jump is never 0. */
static void close_alternatives(struct parser *p)
{
    struct regex_program *program = p->program;
    for (size_t i = p->groups[p->depth].start; i < program->count; i++)
        if (program->ops[i].kind == REGEX_JUMP && program->ops[i].a == 0)
            program->ops[i].a = (int32_t)(program->count - i);
}

/* Behind "(?=", "(?!", "(?<=" or "(?<!": one character's set. */
static loam_status parse_look(struct parser *p, enum regex_kind kind, bool negated)
{
    int32_t set;
    loam_status status = parse_set(p, &set);
    if (!status && !take(p, ")"))
        return fail(p, "look-ahead and look-behind are supported at one character only");
    return status ? status
                  : emit(p, (struct regex_op){
                                .kind = (uint8_t)kind, .negated = negated, .set = (int16_t)set});
}

static loam_status open_group(struct parser *p)
{
    bool fold = p->groups[p->depth].fold;
    if (take(p, "?=") || take(p, "?!"))
        return parse_look(p, REGEX_LOOK, p->text[p->at - 1] == '!');
    if (take(p, "?<=") || take(p, "?<!"))
        return parse_look(p, REGEX_BEHIND, p->text[p->at - 1] == '!');
    if (take(p, "?i:"))
        fold = true;
    else if (!take(p, "?:") && p->at < p->length && p->text[p->at] == '?')
        return fail(p, "this kind of group is not supported");
    if (p->depth + 1 == DEPTH)
        return fail(p, "groups are nested too deeply");
    p->groups[++p->depth] =
        (struct group){.start = p->program->count, .alternative = p->program->count, .fold = fold};
    return LOAM_OK;
}

static loam_status parse_end(struct parser *p)
{
    struct regex_set any = empty_set;
    int32_t set;
    any.negated = true;
    loam_status status = p->program->oniguruma ? add_range(p, &any, '\n', '\n') : LOAM_OK;
    if (!status)
        status = keep_set(p, &any, &set);
    return status
               ? status
               : emit(p,
                      (struct regex_op){.kind = REGEX_LOOK, .negated = true, .set = (int16_t)set});
}

static loam_status parse_item(struct parser *p)
{
    size_t start = p->program->count;
    int32_t set;
    if (take(p, "("))
        return open_group(p);
    if (take(p, "|"))
        return end_alternative(p);
    if (take(p, "$"))
        return parse_end(p);
    if (take(p, ")")) {
        if (p->depth == 0)
            return fail(p, ") without (");
        close_alternatives(p);
        return quantify(p, p->groups[p->depth--].start);
    }
    loam_status status = parse_set(p, &set);
    if (!status)
        status = emit(p, (struct regex_op){.kind = REGEX_SET, .set = (int16_t)set});
    return status ? status : quantify(p, start);
}

loam_status loam_regex_parse(struct regex_program *program, const char *text, size_t length,
                             loam_error *error)
{
    struct parser p = {.program = program, .text = text, .length = length, .error = error};
    loam_status status = LOAM_OK;
    p.groups[0] = (struct group){.start = program->count, .alternative = program->count};
    while (!status && p.at < length)
        status = parse_item(&p);
    if (!status && p.depth)
        status = fail(&p, "( without )");
    if (status)
        return status;
    close_alternatives(&p);
    return emit(&p, (struct regex_op){.kind = REGEX_MATCH});
}
