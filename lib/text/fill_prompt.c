/* SPDX-License-Identifier: MIT */
/* The prompt for filling a gap: its parts in the order of the family, and what
 * of them a budget of tokens leaves. */
#include "text/fill.h"
#include "text/vocabulary.h"

/* No vocabulary has tokens so long that a text of so many bytes for each token
 * of room would fit: what is farther away need not be looked at. */
enum { BYTES_OF_TOKEN = 128, BYTES_AT_FIRST = 4 };

struct prompt {
    const struct tokenizer *tokenizer;
    struct memory *memory;
    const loam_fill_in *fill_in;
    struct fill_tokens tokens;
    struct token_list *list;
    struct token_list counted; /* scratch */
    char *text;                /* scratch: texts put together */
    size_t text_capacity;
    char *head; /* what stands before the prefix without a token between */
    size_t head_length;
    loam_string name; /* of the repository, as written */
    size_t room;      /* tokens that may still be used; SIZE_MAX: no limit */
    loam_fill_in_info info;
    bool goes_on; /* a text stands behind the token of the prefix already */
};

/* Which part of a text is looked for. */
enum side { SIDE_BEGINNING, SIDE_END };

/* ---- putting texts together ---------------------------------------------------- */

/* Puts texts one behind the other into scratch. */
static bool join(struct prompt *prompt, const loam_string *texts, size_t count, size_t *length)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (!loam_sum(&bytes, bytes, texts[i].length))
            return false;
    if (!loam_memory_grow(prompt->memory, (void **)&prompt->text, &prompt->text_capacity,
                          bytes + !bytes, 1))
        return false;
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        if (texts[i].length)
            memcpy(prompt->text + *length, texts[i].data, texts[i].length);
        *length += texts[i].length;
    }
    return true;
}

static loam_status append(struct prompt *prompt, struct token_list *list, loam_string head,
                          loam_string text, bool continues, loam_error *error)
{
    size_t length;
    const loam_string texts[] = {head, text};
    if (!join(prompt, texts, 2, &length))
        return loam_fail_memory(error, (uint64_t)head.length + text.length);
    return loam_tokenizer_append(list, prompt->tokenizer, prompt->memory, prompt->text, length,
                                 continues ? TOKENIZER_CONTINUES : 0, error);
}

static loam_status count_tokens(size_t *out, struct prompt *prompt, loam_string head,
                                loam_string text, bool continues, loam_error *error)
{
    prompt->counted.count = 0;
    loam_status status = append(prompt, &prompt->counted, head, text, continues, error);
    *out = prompt->counted.count;
    return status;
}

static loam_status push(struct prompt *prompt, enum fill_token token, loam_error *error)
{
    int32_t id = prompt->tokens.ids[token];
    return id < 0 ? LOAM_OK : loam_tokenizer_push(prompt->list, prompt->memory, id, error);
}

/* ---- what fits ------------------------------------------------------------------- */

/* At most `size` bytes of the text from its side, cut at a border of lines, or
 * of characters. */
static size_t snap(loam_string text, size_t size, enum side side, bool lines)
{
    size_t at = side == SIDE_END ? text.length - size : size;
    const char *bytes = text.data;
    if (at == 0 || at == text.length)
        return size;
    if (side == SIDE_END) {
        while (at < text.length &&
               (lines ? bytes[at - 1] != '\n' : ((unsigned char)bytes[at] & 0xC0) == 0x80))
            at++;
        return text.length - at;
    }
    while (at > 0 && (lines ? bytes[at - 1] != '\n' : ((unsigned char)bytes[at] & 0xC0) == 0x80))
        at--;
    return at;
}

static loam_string part_of(loam_string text, size_t size, enum side side)
{
    return (loam_string){size ? text.data + (side == SIDE_END ? text.length - size : 0) : NULL,
                         size};
}

/* A text on one side of which something is to fit into so many tokens. */
struct fitting {
    loam_string head, text; /* the head is there in any case */
    size_t room;
    enum side side;
    bool continues;
    size_t size, tokens; /* what fits: bytes of the text; tokens of it and the head */
};

/* Narrows [low, high) down. Every other size to be tried is what the last one
 * lets expect: a step or two then find what halving needs ten for. */
static loam_status fit_at(struct fitting *fitting, struct prompt *prompt, bool lines,
                          loam_error *error)
{
    size_t low = 0, high = fitting->text.length, tokens;
    uint64_t window, guess;
    bool guessing = true;
    if (loam_multiply(&window, fitting->room, BYTES_OF_TOKEN) && window < high)
        high = (size_t)window;
    if (!loam_multiply(&guess, fitting->room, BYTES_AT_FIRST))
        guess = high;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (guess > low)
            middle = loam_min((size_t)guess, high);
        size_t size = snap(fitting->text, middle, fitting->side, lines);
        guess = 0;
        if (size <= fitting->size) { /* no border in between */
            low = middle;
            continue;
        }
        loam_status status =
            count_tokens(&tokens, prompt, fitting->head,
                         part_of(fitting->text, size, fitting->side), fitting->continues, error);
        if (status)
            return status;
        if (tokens > fitting->room) {
            high = size - 1;
        } else {
            low = middle;
            fitting->size = size;
            fitting->tokens = tokens;
        }
        if (guessing && !loam_multiply(&guess, size, fitting->room))
            guess = 0;
        guess /= loam_max(tokens, 1);
        guessing = !guessing;
    }
    return LOAM_OK;
}

/* Finds the most that fits, in whole lines; of a line that alone is too long,
 * the characters that fit. */
static loam_status fit(struct fitting *fitting, struct prompt *prompt, loam_error *error)
{
    fitting->size = 0;
    fitting->tokens = 0;
    loam_status status = LOAM_OK;
    if (fitting->head.length) {
        status = count_tokens(&fitting->tokens, prompt, fitting->head, (loam_string){NULL, 0},
                              fitting->continues, error);
        if (!status && fitting->tokens > fitting->room)
            return LOAM_OK;
    }
    if (!status)
        status = fit_at(fitting, prompt, true, error);
    if (!status && fitting->size == 0)
        status = fit_at(fitting, prompt, false, error);
    return status;
}

/* Shares the room: the suffix gets what the prefix leaves, at least a quarter. */
static loam_status share(struct prompt *prompt, struct fitting *prefix, struct fitting *suffix,
                         loam_error *error)
{
    size_t room = prompt->room;
    prefix->room = suffix->room = room;
    loam_status status = fit(prefix, prompt, error);
    if (!status)
        status = fit(suffix, prompt, error);
    if (status || (prefix->tokens <= room && suffix->tokens <= room - prefix->tokens))
        return status;
    suffix->room = loam_max(room / 4, room - loam_min(prefix->tokens, room));
    status = fit(suffix, prompt, error);
    if (!status && prefix->tokens > room - suffix->tokens) {
        prefix->room = room - suffix->tokens;
        status = fit(prefix, prompt, error);
    }
    if (!status && prefix->tokens > prefix->room) { /* not even its head fits beside it */
        suffix->room = room - loam_min(prefix->tokens, room);
        status = fit(suffix, prompt, error);
    }
    return status;
}

/* ---- files ------------------------------------------------------------------------- */

static bool ends_with(loam_string path, const char *end)
{
    size_t length = strlen(end);
    return path.length >= length && memcmp(path.data + path.length - length, end, length) == 0;
}

/* What begins a comment in a file of that name. */
static const char *comment_of(loam_string path)
{
    static const char *const slashes[] = {".c",     ".h",    ".cc",   ".cpp", ".hpp",  ".cxx",
                                          ".hh",    ".cs",   ".go",   ".rs",  ".js",   ".jsx",
                                          ".ts",    ".tsx",  ".kt",   ".m",   ".mm",   ".php",
                                          ".swift", ".java", ".dart", ".zig", ".scala"};
    static const char *const dashes[] = {".sql", ".lua", ".hs", ".elm", ".adb", ".ads", ".vhd"};
    for (size_t i = 0; i < LOAM_COUNT_OF(slashes); i++)
        if (ends_with(path, slashes[i]))
            return "//";
    for (size_t i = 0; i < LOAM_COUNT_OF(dashes); i++)
        if (ends_with(path, dashes[i]))
            return "--";
    return "#";
}

/* The line that names a file; in texts of the family's kind. */
static size_t name_file(loam_string out[4], const struct prompt *prompt, loam_string path)
{
    const struct fill_family *family = prompt->tokens.family;
    size_t count = 0;
    if (path.length == 0)
        return 0;
    if (family->path == FILL_PATH_COMMENT) {
        const char *sign = comment_of(path);
        out[count++] = (loam_string){sign, strlen(sign)};
        if (family->comment_space)
            out[count++] = (loam_string){" ", 1};
    }
    out[count++] = path;
    out[count++] = (loam_string){"\n", 1};
    return count;
}

static bool has_project(const struct prompt *prompt)
{
    return prompt->fill_in->file_count > 0 || prompt->fill_in->repository.length > 0;
}

/* Appends one file, as much of it as there is room for; *more: the next one may
 * fit as well. */
static loam_status append_file(struct prompt *prompt, const loam_fill_in_file *file, bool *more,
                               loam_error *error)
{
    const struct fill_family *family = prompt->tokens.family;
    bool separated = family->path != FILL_PATH_COMMENT;
    loam_string parts[6];
    size_t length, count = name_file(parts, prompt, file->path), name = 0;
    for (size_t i = 0; i < count; i++)
        name += parts[i].length;
    parts[count++] = file->text;
    bool open = file->text.length && file->text.data[file->text.length - 1] != '\n';
    if (open && (family->newline || !separated))
        parts[count++] = (loam_string){"\n", 1};
    *more = false;
    if (prompt->room <= separated)
        return LOAM_OK;
    if (!join(prompt, parts, count, &length))
        return loam_fail_memory(error, UINT64_MAX);
    /* Scratch is used again while it is fitted. */
    char *whole = loam_memory_get(prompt->memory, length + !length, 1);
    if (!whole)
        return loam_fail_memory(error, length);
    memcpy(whole, prompt->text, length);
    struct fitting fitting = {.text = {whole, length},
                              .room = prompt->room - separated,
                              .side = SIDE_BEGINNING,
                              .continues = prompt->goes_on};
    loam_status status = fit(&fitting, prompt, error);
    if (!status && fitting.size > name) {
        if (separated)
            status = push(prompt, FILL_SEPARATOR, error);
        if (!status)
            status =
                append(prompt, prompt->list, (loam_string){NULL, 0},
                       part_of(fitting.text, fitting.size, SIDE_BEGINNING), prompt->goes_on, error);
        prompt->goes_on = prompt->goes_on || !separated;
        if (prompt->room != SIZE_MAX)
            prompt->room -= fitting.tokens + separated;
        prompt->info.file_count++;
        prompt->info.file_bytes = loam_min(fitting.size - name, file->text.length);
        *more = fitting.size == length;
    }
    loam_memory_free(prompt->memory, whole);
    return status;
}

static loam_status append_files(struct prompt *prompt, loam_error *error)
{
    bool more = true;
    loam_status status = LOAM_OK;
    for (size_t i = 0; !status && more && i < prompt->fill_in->file_count; i++)
        status = append_file(prompt, &prompt->fill_in->files[i], &more, error);
    return status;
}

/* ---- the whole --------------------------------------------------------------------- */

/* Copies what stands before the prefix, or before its token, to prompt->head. */
static loam_status make_head(struct prompt *prompt, loam_error *error)
{
    loam_string parts[4];
    bool named = prompt->tokens.family->path == FILL_PATH_COMMENT ? prompt->fill_in->file_count > 0
                                                                  : has_project(prompt);
    size_t count = named ? name_file(parts, prompt, prompt->fill_in->path) : 0;
    if (!join(prompt, parts, count, &prompt->head_length))
        return loam_fail_memory(error, UINT64_MAX);
    prompt->head = loam_memory_get(prompt->memory, prompt->head_length + 1, 1);
    if (!prompt->head)
        return loam_fail_memory(error, prompt->head_length);
    if (prompt->head_length)
        memcpy(prompt->head, prompt->text, prompt->head_length);
    return LOAM_OK;
}

/* Tokens that are there in any case, but for the line in front of the prefix. */
static loam_status count_frame(size_t *out, struct prompt *prompt, loam_error *error)
{
    const struct fill_family *family = prompt->tokens.family;
    loam_string newline = {"\n", family->newline ? 1 : 0};
    *out = (prompt->tokenizer->adds_begin ? 1 : 0) + 2 + (prompt->tokens.ids[FILL_MIDDLE] >= 0);
    if (family->path == FILL_PATH_COMMENT || !has_project(prompt))
        return LOAM_OK;
    size_t tokens = 0;
    loam_status status = LOAM_OK;
    *out += 1; /* the separator */
    if (prompt->fill_in->repository.length) {
        status = count_tokens(&tokens, prompt, prompt->fill_in->repository, newline, true, error);
        *out += tokens + (prompt->tokens.ids[FILL_REPOSITORY] >= 0);
    }
    if (!status && family->path == FILL_PATH_BEFORE) {
        status = count_tokens(&tokens, prompt, (loam_string){prompt->head, prompt->head_length},
                              (loam_string){NULL, 0}, true, error);
        *out += tokens;
    }
    return status;
}

/* The project's name, its files and the separator of the one with the gap. */
static loam_status append_project(struct prompt *prompt, loam_error *error)
{
    const struct fill_family *family = prompt->tokens.family;
    loam_string newline = {"\n", family->newline ? 1 : 0};
    loam_status status = LOAM_OK;
    if (family->path == FILL_PATH_COMMENT || !has_project(prompt))
        return LOAM_OK;
    if (prompt->fill_in->repository.length) {
        status = push(prompt, FILL_REPOSITORY, error);
        if (!status)
            status =
                append(prompt, prompt->list, prompt->fill_in->repository, newline, true, error);
    }
    if (!status)
        status = append_files(prompt, error);
    if (!status)
        status = push(prompt, FILL_SEPARATOR, error);
    if (!status && family->path == FILL_PATH_BEFORE)
        status = append(prompt, prompt->list, (loam_string){prompt->head, prompt->head_length},
                        (loam_string){NULL, 0}, true, error);
    return status;
}

static loam_status append_prefix(struct prompt *prompt, loam_string head, loam_string text,
                                 loam_error *error)
{
    loam_status status = push(prompt, FILL_PREFIX, error);
    if (!status && prompt->tokens.family->path == FILL_PATH_COMMENT)
        status = append_files(prompt, error);
    return status ? status : append(prompt, prompt->list, head, text, prompt->goes_on, error);
}

static loam_status append_suffix(struct prompt *prompt, loam_string text, loam_error *error)
{
    loam_status status = push(prompt, FILL_SUFFIX, error);
    return status ? status
                  : append(prompt, prompt->list, (loam_string){NULL, 0}, text, true, error);
}

static loam_status assemble(struct prompt *prompt, loam_string head, loam_string prefix,
                            loam_string suffix, loam_error *error)
{
    loam_status status = LOAM_OK;
    bool suffix_first = prompt->tokens.family->suffix_first;
    if (prompt->tokenizer->adds_begin)
        status = loam_tokenizer_push(prompt->list, prompt->memory, prompt->tokenizer->begin, error);
    if (!status)
        status = append_project(prompt, error);
    if (!status && suffix_first)
        status = append_suffix(prompt, suffix, error);
    if (!status)
        status = append_prefix(prompt, head, prefix, error);
    if (!status && !suffix_first)
        status = append_suffix(prompt, suffix, error);
    return status ? status : push(prompt, FILL_MIDDLE, error);
}

static loam_status plan(struct prompt *prompt, struct fitting *prefix, struct fitting *suffix,
                        loam_error *error)
{
    size_t frame = 0, limit = prompt->fill_in->max_tokens;
    prompt->room = SIZE_MAX;
    if (limit == 0) {
        prefix->size = prefix->text.length;
        suffix->size = suffix->text.length;
        return LOAM_OK;
    }
    loam_status status = count_frame(&frame, prompt, error);
    if (status)
        return status;
    prompt->room = limit - loam_min(frame, limit);
    if (frame <= limit)
        status = share(prompt, prefix, suffix, error);
    if (!status && (frame > limit || prefix->tokens > prompt->room))
        return loam_fail(error, LOAM_CONTEXT_FULL,
                         "a prompt of %zu tokens does not hold even its marks and names", limit);
    prompt->room -= loam_min(prompt->room, prefix->tokens + suffix->tokens);
    return status;
}

static loam_status make(struct prompt *prompt, loam_error *error)
{
    loam_status status = make_head(prompt, error);
    if (status)
        return status;
    loam_string head = {prompt->head, prompt->head_length};
    if (prompt->tokens.family->path == FILL_PATH_BEFORE)
        head.length = 0; /* the token of the prefix stands in between */
    struct fitting prefix = {.head = head, .text = prompt->fill_in->prefix, .side = SIDE_END};
    struct fitting suffix = {
        .text = prompt->fill_in->suffix, .side = SIDE_BEGINNING, .continues = true};
    status = plan(prompt, &prefix, &suffix, error);
    if (!status)
        status = assemble(prompt, head, part_of(prefix.text, prefix.size, SIDE_END),
                          part_of(suffix.text, suffix.size, SIDE_BEGINNING), error);
    prompt->info.prefix_bytes = prefix.size;
    prompt->info.suffix_bytes = suffix.size;
    return status;
}

loam_status loam_fill_append(struct token_list *list, loam_fill_in_info *info,
                             const struct tokenizer *tokenizer, struct memory *memory,
                             const loam_fill_in *fill_in, loam_error *error)
{
    struct prompt prompt = {
        .tokenizer = tokenizer, .memory = memory, .fill_in = fill_in, .list = list};
    if (!loam_fill_find(&prompt.tokens, tokenizer))
        return loam_fail(error, LOAM_UNSUPPORTED,
                         "the vocabulary has no tokens for filling in: its model was not trained "
                         "for that");
    size_t before = list->count;
    loam_status status = make(&prompt, error);
    prompt.info.token_count = list->count - before;
    *info = prompt.info;
    loam_memory_free(memory, prompt.counted.ids);
    loam_memory_free(memory, prompt.text);
    loam_memory_free(memory, prompt.head);
    return status;
}
