/* SPDX-License-Identifier: MIT */
/* Small random models of each supported family against reference logits, at a
 * tenth of the stated tolerance, read in one piece, in pieces and token by
 * token. */
#include "common.h"

#include <math.h>

static void compare(const char *name, size_t piece)
{
    char path[128];
    size_t count, expected_count;
    snprintf(path, sizeof path, "arch/%s/tokens.i32", name);
    int32_t *tokens = test_values(path, &count);
    snprintf(path, sizeof path, "arch/%s/logits.f32", name);
    float *expected = test_values(path, &expected_count);
    snprintf(path, sizeof path, "arch/%s/model.gguf", name);
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, path, LOAM_KV_F32);
    REQUIRE(tokens && expected && model);
    size_t vocabulary = test_vocabulary(model);
    float *logits = malloc(expected_count * sizeof *logits);
    loam_session *session = test_session(model);
    REQUIRE(expected_count == count * vocabulary);
    for (size_t done = 0; done < count; done += piece) {
        size_t rows = count - done < piece ? count - done : piece;
        CHECK_OK(loam_session_evaluate(session, tokens + done, rows, logits + done * vocabulary,
                                       rows, &test_error));
    }
    double worst = 0, largest = 0;
    size_t beyond = 0; /* counts NaN as well, which no maximum shows */
    for (size_t i = 0; i < expected_count; i++)
        largest = fabs((double)expected[i]) > largest ? fabs((double)expected[i]) : largest;
    for (size_t i = 0; i < expected_count; i++) {
        double error = fabs((double)logits[i] - (double)expected[i]);
        worst = error > worst ? error : worst;
        beyond += !(error <= 1e-5 * largest);
    }
    printf("# %s in pieces of %zu: %.1e of the largest value\n", name, piece, worst / largest);
    CHECK_EQUAL(beyond, 0);
    loam_session_release(session);
    loam_model_release(model);
    loam_engine_release(engine);
    free(logits);
    free(expected);
    free(tokens);
}

static void all_pieces(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "arch/%s/model.gguf", name);
    if (!test_data(path))
        SKIP("no reference data: arch");
    compare(name, 48);
    compare(name, 7);
    compare(name, 1);
}

#define FAMILY(function, name)                                                                     \
    static void function(void)                                                                     \
    {                                                                                              \
        all_pieces(name);                                                                          \
    }

FAMILY(llama, "llama")
FAMILY(mistral, "mistral")
FAMILY(llama_with_biases_and_tied_embeddings, "llama-gqa-headdim")
FAMILY(llama_rope_linear, "llama-rope-linear")
FAMILY(llama_rope_frequency_factors, "llama-rope-llama3")
FAMILY(llama_rope_yarn, "llama-rope-yarn")

int main(void)
{
    RUN(llama);
    RUN(mistral);
    RUN(llama_with_biases_and_tied_embeddings);
    RUN(llama_rope_linear);
    RUN(llama_rope_frequency_factors);
    RUN(llama_rope_yarn);
    return test_end();
}
