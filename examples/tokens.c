/* SPDX-License-Identifier: MIT */
/* Text to tokens and back, with nothing but the vocabulary of a model file.
 *
 *     tokens [MODEL.gguf] "Once upon a time" */
#include "model/builtin.h"

#include <stdio.h>
#include <string.h>

enum { ROOM = 4096 };

int main(int count, char **arguments)
{
    loam_error error = {.struct_size = sizeof error};
    loam_source source;
    loam_engine *engine = NULL;
    loam_tokenizer *tokenizer = NULL;
    int32_t tokens[ROOM];
    char text[ROOM];
    size_t token_count = 0, length = 0;
    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: tokens [MODEL.gguf] TEXT\n");
        return 2;
    }
    const char *original = arguments[count - 1];
    builtin_source(&source, count == 3 ? arguments[1] : NULL, "tokens");
    loam_status status = loam_engine_create(&engine, NULL, &error);
    if (!status)
        status = loam_tokenizer_open(&tokenizer, engine, &source, &error);
    if (!status) /* text of the user's: control tokens in it stay text */
        status = loam_tokenizer_encode(tokens, ROOM, &token_count, tokenizer, original,
                                       LOAM_NUL_TERMINATED, LOAM_ENCODE_ADD_SPECIAL, &error);
    if (!status)
        status =
            loam_tokenizer_decode(text, ROOM, &length, tokenizer, tokens, token_count, 0, &error);
    for (size_t i = 0; !status && i < token_count; i++) {
        loam_token_info info = {.struct_size = sizeof info};
        status = loam_tokenizer_token(&info, tokenizer, tokens[i], &error);
        printf("%6d  %s\n", (int)tokens[i], info.text.data);
    }
    if (status)
        fprintf(stderr, "tokens: %s\n", error.message);
    else
        printf("back: %.*s\n", (int)length, text);
    int same = length == strlen(original) && memcmp(text, original, length) == 0;
    loam_tokenizer_release(tokenizer);
    loam_engine_release(engine);
    return status || !same;
}
