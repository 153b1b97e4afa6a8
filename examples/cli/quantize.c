/* SPDX-License-Identifier: MIT */
/* loam quantize: a model file in smaller weight types. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OVERRIDES = 64 };

struct quantizing {
    loam_engine *engine;
    const char *from, *to, *importance;
    loam_quantize_options options;
    loam_quantize_info info;
    loam_tensor_override overrides[MOST_OVERRIDES];
    FILE *out;           /* NULL: nothing is written */
    int number;          /* errno of a failed write */
    int shows;           /* progress, on a terminal */
    double shown, begun; /* seconds */
};

static int32_t take_bytes(void *user, const void *data, size_t size)
{
    struct quantizing *q = user;
    errno = 0;
    if (fwrite(data, 1, size, q->out) == size)
        return 0;
    q->number = errno;
    return -1;
}

static int32_t show_progress(void *user, uint64_t done, uint64_t total)
{
    struct quantizing *q = user;
    double now = seconds_now();
    if (q->shows && (now - q->shown > 0.1 || done == total)) {
        double seconds = now - q->begun;
        q->shown = now;
        fprintf(stderr, "\r%5.1f%%  %.0f of %.0f MB, %.0f MB/s ",
                total ? 100.0 * (double)done / (double)total : 100.0, (double)done / 1e6,
                (double)total / 1e6, seconds > 0 ? (double)done / 1e6 / seconds : 0);
    }
    return interrupt_happened();
}

static int convert(FILE *out, void *context)
{
    struct quantizing *q = context;
    loam_source source = {.struct_size = sizeof source};
    loam_source importance = {.struct_size = sizeof importance};
    loam_error error = {.struct_size = sizeof error};
    source.path.data = q->from;
    importance.path.data = q->importance;
    source.path.length = importance.path.length = LOAM_NUL_TERMINATED;
    q->options.importance = q->importance ? &importance : NULL;
    q->out = out;
    q->begun = seconds_now();
    loam_status status = loam_model_quantize(&q->info, q->engine, &source, &q->options,
                                             out ? take_bytes : NULL, q, &error);
    if (q->shows && q->shown > 0)
        fprintf(stderr, "\r%60s\r", "");
    if (!status)
        return EXIT_OK;
    if (interrupt_happened())
        return EXIT_INTERRUPTED;
    if (q->number)
        return fail("%s: cannot write: %s", q->to, strerror(q->number));
    return fail_with(&error);
}

/* PATTERN=TYPE, at the last '='. */
static int read_overrides(struct quantizing *q, const struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *equals = strrchr(list->items[i], '=');
        if (!equals || equals == list->items[i] || !equals[1]) {
            fail("--tensor: found \"%s\", expected PATTERN=TYPE", list->items[i]);
            return EXIT_USAGE;
        }
        loam_tensor_override *override = &q->overrides[i];
        override->pattern.data = list->items[i];
        override->pattern.length = (size_t)(equals - list->items[i]);
        override->type.data = equals + 1;
        override->type.length = LOAM_NUL_TERMINATED;
    }
    q->options.overrides = q->overrides;
    q->options.override_count = list->count;
    return EXIT_OK;
}

static int list_mixes(void)
{
    for (size_t i = 0; loam_mix_name(i); i++)
        printf("%s\n", loam_mix_name(i));
    return finish_output();
}

/* Nothing may be read from the file that is being written. */
static int check_names(const struct quantizing *q)
{
    char partial[4096];
    const char *inputs[2];
    inputs[0] = q->from;
    inputs[1] = q->importance;
    snprintf(partial, sizeof partial, "%s.part", q->to);
    for (int i = 0; i < 2; i++)
        if (inputs[i] && (same_file(inputs[i], q->to) || same_file(inputs[i], partial))) {
            fail("%s: is read, and cannot be written as well", inputs[i]);
            return EXIT_USAGE;
        }
    return EXIT_OK;
}

static void print_summary(const struct quantizing *q)
{
    const loam_quantize_info *info = &q->info;
    fprintf(stderr, "%llu tensors, %llu quantised: %.1f MB -> %.1f MB\n",
            (unsigned long long)info->tensors, (unsigned long long)info->quantized,
            (double)info->input_bytes / 1e6, (double)info->output_bytes / 1e6);
    if (info->fell_back)
        fprintf(stderr,
                "%llu of them in another type, as their rows are no multiple of its block\n",
                (unsigned long long)info->fell_back);
    if (info->unimportant)
        fprintf(stderr, "%llu of them are not in the importance file\n",
                (unsigned long long)info->unimportant);
    if (info->requantized)
        fprintf(stderr, "warning: %llu of them were quantised already, and lost more\n",
                (unsigned long long)info->requantized);
}

static int quantize(struct quantizing *q, const struct common *common, int dry_run)
{
    int code = check_names(q);
    if (code)
        return code;
    interrupt_begin();
    q->shows = !common->quiet && isatty(2);
    q->options.progress = show_progress;
    q->options.progress_user = q;
    code = open_engine(&q->engine, common);
    if (!code)
        code = dry_run ? convert(NULL, q) : write_whole(q->to, convert, q);
    if (!code && !common->quiet)
        print_summary(q);
    loam_engine_release(q->engine);
    return code;
}

int command_quantize(int count, char **arguments)
{
    struct common common = {0};
    struct quantizing q = {0};
    struct text_list overrides = {{0}, 0};
    const char *output = NULL, *embedding = NULL;
    int list = 0, pure = 0, keep_output = 0, requantize = 0, dry_run = 0;
    const struct option options[] = {
        {"--imatrix", NULL, OPTION_TEXT, &q.importance, "FILE",
         "importance of input columns (loam imatrix)", 0, 0},
        {"--tensor", NULL, OPTION_LIST, &overrides, "PATTERN=TYPE",
         "type of tensors by name ('*', '^', '$')", 0, 0},
        {"--output-type", NULL, OPTION_TEXT, &output, "TYPE", "type of the output matrix", 0, 0},
        {"--embedding-type", NULL, OPTION_TEXT, &embedding, "TYPE", "type of the token table", 0,
         0},
        {"--keep-output", NULL, OPTION_FLAG, &keep_output, NULL, "leave the output matrix as it is",
         0, 0},
        {"--pure", NULL, OPTION_FLAG, &pure, NULL, "one type for all matrices", 0, 0},
        {"--requantize", NULL, OPTION_FLAG, &requantize, NULL,
         "take quantised weights as well, with loss", 0, 0},
        {"--dry-run", NULL, OPTION_FLAG, &dry_run, NULL, "write nothing, tell the sizes", 0, 0},
        {"--list", NULL, OPTION_FLAG, &list, NULL, "print the names of all TYPEs", 0, 0},
        {"--threads", "-t", OPTION_INTEGER, &common.threads, "N",
         "computing threads (default: all)", 0, 1024},
        {"--memory-limit", NULL, OPTION_BYTES, &common.memory_limit, "BYTES",
         "most memory to hold (K, M, G)", 0, 0},
        {"--quiet", "-q", OPTION_FLAG, &common.quiet, NULL, "no progress, no summary", 0, 0},
    };
    const char *names[3];
    size_t name_count;
    int code = options_read(count, arguments, "quantize IN.gguf OUT.gguf TYPE [OPTIONS]", options,
                            COUNT_OF(options), names, COUNT_OF(names), &name_count);
    if (code >= 0)
        return code;
    if (list)
        return list_mixes();
    if (name_count != 3) {
        fail("quantize: found %zu arguments, expected three: IN.gguf OUT.gguf TYPE", name_count);
        return EXIT_USAGE;
    }
    q.from = names[0];
    q.to = names[1];
    q.options.struct_size = sizeof q.options;
    q.info.struct_size = sizeof q.info;
    q.options.mix.data = names[2];
    q.options.mix.length = LOAM_NUL_TERMINATED;
    q.options.output_type.data = output;
    q.options.embedding_type.data = embedding;
    q.options.output_type.length = q.options.embedding_type.length = LOAM_NUL_TERMINATED;
    q.options.keep_output = keep_output;
    q.options.pure = pure;
    q.options.requantize = requantize;
    code = read_overrides(&q, &overrides);
    return code ? code : quantize(&q, &common, dry_run);
}
