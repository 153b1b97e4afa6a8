/* SPDX-License-Identifier: MIT */
#include <loam/loam.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_session *session = NULL;
    loam_error error = {.struct_size = sizeof error};
    loam_event event = {.struct_size = sizeof event};
    int failed = argc != 3 || loam_engine_create(&engine, NULL, &error) ||
                 loam_model_open(&model, engine, argv[1], LOAM_NUL_TERMINATED, NULL, &error) ||
                 loam_session_create(&session, model, NULL, &error) ||
                 loam_session_prompt(session, argv[2], LOAM_NUL_TERMINATED, &error);
    while (!failed && event.type != LOAM_EVENT_STOP) {
        failed = loam_session_next(session, &event, &error) != LOAM_OK;
        if (!failed && event.text_length)
            fwrite(event.text, 1, event.text_length, stdout);
    }
    if (failed)
        fprintf(stderr, "%s\n", argc == 3 ? error.message : "give a model file and a prompt");
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    return failed;
}
