/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *help;
} commands[] = {
    {"run", command_run, "continue a text"},
    {"chat", command_chat, "talk with a model"},
    {"complete", command_complete, "the text that belongs at a place in a file"},
    {"info", command_info, "what a model file holds and what a load would take"},
    {"tokens", command_tokens, "standard input to token ids"},
    {"count", command_count, "how many tokens a text has"},
    {"split", command_split, "where to cut a document into chunks of so many tokens"},
    {"logits", command_logits, "logits of every position of a token file"},
    {"nll", command_nll, "mean negative log-likelihood of a text"},
    {"embed", command_embed, "the embedding of a token file"},
    {"pack", command_pack, "a model file in the form that opens by mapping"},
    {"quantize", command_quantize, "a model file in smaller weight types"},
    {"imatrix", command_imatrix, "how much input columns count, for quantize"},
    {"template", command_template, "a chat template and a JSON context to text"},
    {"bench", command_bench, "prompt and decode speed"},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: loam COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nloam COMMAND --help says more; loam --version tells the version.\n"
                 "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

static int print_version(void)
{
    printf("loam %s\nCPU levels:", loam_version_string());
    for (int32_t level = LOAM_CPU_SCALAR; level < LOAM_CPU_LEVEL_COUNT; level++)
        printf(" %s%s", loam_cpu_level_name(level),
               loam_cpu_level_available(level) ? "" : " (not here)");
    printf("\n");
    return finish_output();
}

int main(int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : NULL;
    if (!name) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return finish_output();
    }
    if (strcmp(name, "--version") == 0)
        return print_version();
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(count - 2, arguments + 2);
    fail("%s: no such command; loam --help lists them", name);
    return EXIT_USAGE;
}
