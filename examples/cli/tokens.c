/* SPDX-License-Identifier: MIT */
/* loam tokens: standard input to ids. */
#include "cli.h"

#include <stdlib.h>

static void print_ids(loam_tokenizer *tokenizer, const int32_t *ids, size_t count, int json,
                      int pieces)
{
    if (json)
        putchar('[');
    for (size_t i = 0; i < count; i++) {
        loam_token_info info = {.struct_size = sizeof info};
        if (!pieces) {
            printf("%s%d", i == 0 ? "" : json ? ", " : " ", (int)ids[i]);
            continue;
        }
        loam_tokenizer_token(&info, tokenizer, ids[i], NULL);
        printf("%d\t", (int)ids[i]);
        json_text(stdout, info.text.data, info.text.length);
        putchar('\n');
    }
    fputs(json ? "]\n" : pieces ? "" : "\n", stdout);
}

int command_tokens(int count, char **arguments)
{
    struct common common = {0};
    int parse_special = 0, no_bos = 0, json = 0, pieces = 0;
    const struct option options[] = {
        {"--model", "-m", OPTION_TEXT, &common.model, "FILE",
         "GGUF model file or tokenizer.json (default: one built in)", 0, 0},
        {"--parse-special", NULL, OPTION_FLAG, &parse_special, NULL,
         "text of control tokens becomes them", 0, 0},
        {"--no-bos", NULL, OPTION_FLAG, &no_bos, NULL, "do not add begin and end tokens", 0, 0},
        {"--pieces", NULL, OPTION_FLAG, &pieces, NULL, "one line for each token: id and text", 0,
         0},
        {"--json", NULL, OPTION_FLAG, &json, NULL, "a JSON array", 0, 0},
    };
    size_t rest, size, token_count = 0;
    int code = options_read(count, arguments, "tokens [-m FILE] [OPTIONS] <TEXT", options,
                            COUNT_OF(options), NULL, 0, &rest);
    if (code >= 0)
        return code;
    loam_engine *engine = NULL;
    loam_tokenizer *tokenizer = NULL;
    loam_error error = {.struct_size = sizeof error};
    char *text = NULL;
    int32_t *ids = NULL;
    uint32_t flags =
        (parse_special ? LOAM_ENCODE_PARSE_SPECIAL : 0) | (no_bos ? 0 : LOAM_ENCODE_ADD_SPECIAL);
    common.threads = 1;
    code = open_engine(&engine, &common);
    if (!code)
        code = open_tokenizer(&tokenizer, engine, common.model);
    if (!code)
        code = read_file(&text, &size, "-");
    if (!code) {
        size_t room = size + 16; /* enough for nearly all; asked again else */
        ids = malloc(room * sizeof *ids);
        loam_status status = loam_tokenizer_encode(ids, ids ? room : 0, &token_count, tokenizer,
                                                   text, size, flags, &error);
        if (status == LOAM_TOO_SMALL) {
            free(ids);
            room = token_count;
            ids = malloc(room * sizeof *ids);
            status = loam_tokenizer_encode(ids, ids ? room : 0, &token_count, tokenizer, text, size,
                                           flags, &error);
        }
        code = status ? fail_with(&error) : EXIT_OK;
    }
    if (!code) {
        print_ids(tokenizer, ids, token_count, json, pieces && !json);
        code = finish_output();
    }
    free(ids);
    free(text);
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
    return code;
}
