/* SPDX-License-Identifier: MIT */
/* A whole model file, from any bytes: opened, prompted and run. */
#include "fuzz.h"

#include <loam/loam.h>

#include <stdlib.h>

static void use(loam_model *model)
{
    loam_session *session = NULL;
    loam_event event = {.struct_size = sizeof event};
    loam_session_options options = {.struct_size = sizeof options, .context_length = 16};
    static float embedding[1 << 16];
    loam_model_info info = {.struct_size = sizeof info};
    static const int32_t tokens[] = {1, 0, 3, 2, 1, 4, 5, 0, 2};
    loam_model_get_info(&info, model, NULL);
    if (info.embedding_output && info.embedding_output <= 1 << 16)
        loam_model_embed(model, tokens, 8, NULL, embedding, NULL);
    if (loam_session_create(&session, model, &options, NULL))
        return;
    loam_status status =
        loam_session_prompt(session, "once a \xF0\x9F\x98 <s>", LOAM_NUL_TERMINATED, NULL);
    for (int i = 0; status == LOAM_OK && i < 3 && event.type != LOAM_EVENT_STOP; i++)
        status = loam_session_next(session, &event, NULL);
    if (status) { /* no vocabulary, perhaps: more rows than a step takes at once, then one */
        loam_session_evaluate(session, tokens, sizeof tokens / sizeof *tokens, NULL, 0, NULL);
        loam_session_evaluate(session, tokens, 1, NULL, 0, NULL);
    }
    loam_session_release(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    loam_engine *engine = NULL;
    loam_model *model = NULL;
    loam_engine_options options = {
        .struct_size = sizeof options, .threads = 1, .memory_limit = 64u << 20};
    loam_model_options model_options = {.struct_size = sizeof model_options, .max_step_rows = 8};
    loam_source source = {
        .struct_size = sizeof source, .kind = LOAM_SOURCE_MEMORY, .data = data, .size = size};
    loam_engine_info before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    if (loam_engine_create(&engine, &options, NULL))
        return 0;
    loam_engine_get_info(&before, engine, NULL);
    if (loam_model_open_source(&model, engine, &source, &model_options, NULL) == LOAM_OK)
        use(model);
    loam_model_release(model);
    loam_engine_get_info(&after, engine, NULL);
    if (after.bytes_held != before.bytes_held)
        abort();
    loam_engine_release(engine);
    return 0;
}
