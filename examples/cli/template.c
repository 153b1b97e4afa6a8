/* SPDX-License-Identifier: MIT */
/* loam template: a chat template and a JSON context to text. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *model, *template_file, *context, *now;
    struct text_list trusted;
    int spans;
};

/* The template of the file, or of the model; tokenizer is NULL without one. */
static int open_template(loam_template **out, loam_tokenizer **tokenizer, loam_engine *engine,
                         const struct arguments *arguments)
{
    loam_error error = {.struct_size = sizeof error};
    char *text = NULL;
    size_t size;
    int code = EXIT_OK;
    if (arguments->model)
        code = open_tokenizer(tokenizer, engine, arguments->model);
    if (code)
        return code;
    if (!arguments->template_file)
        return loam_tokenizer_template(out, *tokenizer, &error) ? fail_with(&error) : EXIT_OK;
    code = read_file(&text, &size, arguments->template_file);
    if (!code && loam_template_create(out, engine, text, size, &error))
        code = fail_with(&error);
    free(text);
    return code;
}

static void print_spans(const loam_rendering_info *info)
{
    for (size_t i = 0; i < info->span_count; i++) {
        const loam_text_span *span = &info->spans[i];
        printf("%s\t", span->from_data ? "data" : "template");
        json_text(stdout, info->text.data + span->offset, span->length);
        putchar('\n');
    }
}

static int render(loam_template *chat_template, loam_tokenizer *tokenizer,
                  const struct arguments *arguments)
{
    loam_error error = {.struct_size = sizeof error};
    loam_render_options options = {.struct_size = sizeof options};
    loam_rendering_info info = {.struct_size = sizeof info};
    loam_rendering *rendering = NULL;
    loam_string trusted[COUNT_OF(arguments->trusted.items)];
    char *context;
    size_t size;
    int code = read_file(&context, &size, arguments->context);
    if (code)
        return code;
    for (size_t i = 0; i < arguments->trusted.count; i++) {
        trusted[i].data = arguments->trusted.items[i];
        trusted[i].length = LOAM_NUL_TERMINATED;
    }
    options.trusted = trusted;
    options.trusted_count = arguments->trusted.count;
    options.tokenizer = tokenizer;
    options.now.data = arguments->now;
    options.now.length = arguments->now ? LOAM_NUL_TERMINATED : 0;
    if (loam_template_render(&rendering, chat_template, context, size, &options, &error)) {
        code = fail_with(&error);
    } else {
        loam_rendering_get_info(&info, rendering, NULL);
        if (arguments->spans)
            print_spans(&info);
        else
            fwrite(info.text.data, 1, info.text.length, stdout);
        code = finish_output();
    }
    loam_rendering_release(rendering);
    free(context);
    return code;
}

int command_template(int count, char **given)
{
    struct arguments arguments = {0};
    const struct option options[] = {
        {"--model", "-m", OPTION_TEXT, &arguments.model, "FILE",
         "GGUF file: its template, bos_token and eos_token", 0, 0},
        {"--template", NULL, OPTION_TEXT, &arguments.template_file, "FILE", "a template in a file",
         0, 0},
        {"--context", NULL, OPTION_TEXT, &arguments.context, "FILE",
         "JSON object: messages, tools, ... (- is standard input)", 0, 0},
        {"--now", NULL, OPTION_TEXT, &arguments.now, "TIME",
         "what strftime_now shows, as 2026-01-15T09:30:45", 0, 0},
        {"--trust", NULL, OPTION_LIST, &arguments.trusted, "NAME",
         "variable whose text may hold control tokens", 0, 0},
        {"--spans", NULL, OPTION_FLAG, &arguments.spans, NULL,
         "show which parts are the template's and which are data", 0, 0},
    };
    size_t rest;
    loam_engine *engine = NULL;
    loam_tokenizer *tokenizer = NULL;
    loam_template *chat_template = NULL;
    struct common common = {.threads = 1};
    int code =
        options_read(count, given, "template (-m FILE | --template FILE) --context FILE [OPTIONS]",
                     options, COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    if ((!arguments.model && !arguments.template_file) || !arguments.context) {
        fail("template: name a template with -m or --template, and a context with --context");
        return EXIT_USAGE;
    }
    code = open_engine(&engine, &common);
    if (!code)
        code = open_template(&chat_template, &tokenizer, engine, &arguments);
    if (!code)
        code = render(chat_template, tokenizer, &arguments);
    loam_template_release(chat_template);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
    return code;
}
