/* SPDX-License-Identifier: MIT */
/* Two texts at once: each step advances both in one pass over the weights.
 *
 *     two_sessions [MODEL.gguf] "Once upon a time" "Tom was sad because" */
#include "model/builtin.h"

#include <stdio.h>

enum { SESSIONS = 2 };

int main(int count, char **arguments)
{
    loam_error error = {.struct_size = sizeof error};
    loam_generation_options options = {.struct_size = sizeof options, .max_tokens = 24};
    loam_source source;
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *sessions[SESSIONS] = {NULL}, *active[SESSIONS];
    size_t running = 0;
    if (count != 1 + SESSIONS && count != 2 + SESSIONS) {
        fprintf(stderr, "usage: two_sessions [MODEL.gguf] TEXT TEXT\n");
        return 2;
    }
    char **texts = arguments + count - SESSIONS;
    builtin_source(&source, count > 1 + SESSIONS ? arguments[1] : NULL, "two_sessions");
    loam_status status = loam_engine_create(&engine, NULL, &error);
    if (!status)
        status = loam_model_open_source(&model, engine, &source, NULL, &error);
    for (int i = 0; !status && i < SESSIONS; i++) {
        status = loam_session_create(&sessions[i], model, NULL, &error);
        if (!status)
            status = loam_session_configure(sessions[i], &options, &error);
        if (!status)
            status = loam_session_prompt(sessions[i], texts[i], LOAM_NUL_TERMINATED, &error);
        active[running++] = sessions[i];
    }
    while (!status && running > 0) {
        loam_event events[SESSIONS] = {{.struct_size = sizeof events[0]}};
        size_t left = 0;
        status = loam_step(events, active, running, &error);
        for (size_t i = 0; !status && i < running; i++) {
            int which = active[i] == sessions[0] ? 0 : 1;
            if (events[i].text_length)
                printf("%d: %s\n", which, events[i].text);
            if (events[i].type != LOAM_EVENT_STOP)
                active[left++] = active[i]; /* those that stopped drop out */
        }
        running = left;
    }
    if (status)
        fprintf(stderr, "two_sessions: %s\n", error.message);
    for (int i = 0; i < SESSIONS; i++)
        loam_session_release(sessions[i]);
    loam_model_release(model);
    loam_engine_release(engine);
    return status != LOAM_OK;
}
