/* SPDX-License-Identifier: MIT */
/* A conversation of two turns. The second computes only what is new in it.
 *
 *     chat [MODEL.gguf]
 *
 * The messages are JSON, as chat APIs have them; a real program writes it with
 * its JSON library, the model's answers included. */
#include "model/builtin.h"

#include <stdio.h>

static const char first[] = "[{\"role\": \"user\", \"content\": \"What is the opposite of hot?\"}]";
static const char second[] =
    "[{\"role\": \"user\", \"content\": \"What is the opposite of hot?\"},"
    " {\"role\": \"assistant\", \"content\": \"The opposite of hot is cold.\"},"
    " {\"role\": \"user\", \"content\": \"What is the opposite of big?\"}]";

/* Prints the answer to the last message; 0 on success. */
static int answer(loam_session *session, const char *messages, loam_error *error)
{
    loam_chat chat = {.struct_size = sizeof chat, .messages = {messages, LOAM_NUL_TERMINATED}};
    loam_event event = {.struct_size = sizeof event};
    loam_timings timings = {.struct_size = sizeof timings};
    if (loam_session_chat(session, &chat, error))
        return 1;
    while (event.type != LOAM_EVENT_STOP) {
        if (loam_session_next(session, &event, error))
            return 1;
        fwrite(event.text, 1, event.text_length, stdout);
    }
    loam_session_get_timings(&timings, session, NULL);
    printf("\n(%u tokens, %u of them kept)\n", timings.prompt_tokens, timings.kept_tokens);
    return 0;
}

int main(int count, char **arguments)
{
    loam_error error = {.struct_size = sizeof error};
    loam_source source;
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    builtin_source(&source, count > 1 ? arguments[1] : NULL, "chat");
    int failed = loam_engine_create(&engine, NULL, &error) ||
                 loam_model_open_source(&model, engine, &source, NULL, &error) ||
                 loam_session_create(&session, model, NULL, &error) ||
                 answer(session, first, &error) || answer(session, second, &error);
    if (failed)
        fprintf(stderr, "chat: %s\n", error.message);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return failed;
}
