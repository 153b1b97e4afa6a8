/* SPDX-License-Identifier: MIT */
/* The whole of it: open a model, give it text, stream what follows.
 *
 *     generate [MODEL.gguf] "Once upon a time"
 *
 * A program that always has a file calls loam_model_open(&model, engine, path,
 * length, NULL, &error) instead of asking for a source. */
#include "model/builtin.h"

#include <stdio.h>

static int failed(const loam_error *error)
{
    fprintf(stderr, "generate: %s\n", error->message);
    return 1;
}

int main(int count, char **arguments)
{
    loam_error error = {.struct_size = sizeof error};
    loam_event event = {.struct_size = sizeof event};
    loam_generation_options options = {.struct_size = sizeof options, .max_tokens = 64};
    loam_source source;
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    int code = 0;
    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: generate [MODEL.gguf] TEXT\n");
        return 2;
    }
    builtin_source(&source, count == 3 ? arguments[1] : NULL, "generate");
    /* Engine: threads and memory. Model: weights. Session: one text. */
    if (loam_engine_create(&engine, NULL, &error) ||
        loam_model_open_source(&model, engine, &source, NULL, &error) ||
        loam_session_create(&session, model, NULL, &error) ||
        loam_session_configure(session, &options, &error) ||
        loam_session_prompt(session, arguments[count - 1], LOAM_NUL_TERMINATED, &error))
        code = failed(&error);
    /* Each call does a piece of work and says what came of it. */
    while (code == 0 && event.type != LOAM_EVENT_STOP) {
        if (loam_session_next(session, &event, &error))
            code = failed(&error);
        else
            fwrite(event.text, 1, event.text_length, stdout);
        fflush(stdout);
    }
    putchar('\n');
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return code;
}
