/* SPDX-License-Identifier: MIT */
/* Whole models in quantised types: how far their logits are from those computed
 * in floats with the same weights, beside how far llama.cpp's are. */
#include "common.h"

#include <math.h>
#include <stdbool.h>

enum { VOCABULARY = 64, TOKENS = 48, LOGITS = TOKENS * VOCABULARY };

/* ln of the sum of exp of a row. */
static double log_sum(const float *row)
{
    double most = row[0], sum = 0;
    for (size_t i = 1; i < VOCABULARY; i++)
        most = (double)row[i] > most ? (double)row[i] : most;
    for (size_t i = 0; i < VOCABULARY; i++)
        sum += exp((double)row[i] - most);
    return most + log(sum);
}

/* Mean over rows of the KL divergence from `expected` to `found`. */
static double divergence(const float *expected, const float *found)
{
    double total = 0;
    for (size_t t = 0; t < TOKENS; t++, expected += VOCABULARY, found += VOCABULARY) {
        double e = log_sum(expected), f = log_sum(found);
        for (size_t i = 0; i < VOCABULARY; i++) {
            double p = (double)expected[i] - e;
            total += exp(p) * (p - ((double)found[i] - f));
        }
    }
    return total / TOKENS;
}

static void logits_of(float *out, const char *type, const int32_t *tokens)
{
    char name[64];
    snprintf(name, sizeof name, "quant/model-%s.gguf", type);
    loam_engine *engine = test_engine(2);
    loam_model *model = test_model(engine, name, LOAM_KV_F32);
    if (model && test_vocabulary(model) == VOCABULARY) {
        loam_session *session = test_session(model);
        CHECK_OK(loam_session_evaluate(session, tokens, TOKENS, out, TOKENS, &test_error));
        loam_session_release(session);
    } else {
        CHECK(!"a model of 64 tokens");
    }
    loam_model_release(model);
    loam_engine_release(engine);
}

/* One line of the manifest: the type, and llama.cpp's divergence. */
static void check_model(const char *type, double reference, const int32_t *tokens)
{
    char name[64];
    float found[LOGITS] = {0};
    size_t count;
    snprintf(name, sizeof name, "quant/model-%s.f32act.f32", type);
    float *expected = test_values(name, &count);
    REQUIRE(expected && count == LOGITS);
    logits_of(found, type, tokens);
    double ours = divergence(expected, found);
    bool is_float = strcmp(type, "F16") == 0;
    printf("# %s: KL divergence %.3e, llama.cpp %.3e\n", type, ours, reference);
    CHECK(reference > 0 && ours <= (is_float ? 1e-6 : 2 * reference));
    free(expected);
}

static void divergence_is_small(void)
{
    size_t size, count;
    char *manifest = (char *)test_read(test_data("quant/manifest.json"), &size);
    int32_t *tokens = test_values("quant/model.tokens.i32", &count);
    if (!manifest || !tokens)
        SKIP("no reference data: quant");
    REQUIRE(count == TOKENS);
    int models = 0;
    const char *at = strstr(manifest, "\"models\": [");
    for (; at && (at = strstr(at, "\"type\": \"")) != NULL; models++) {
        char type[16];
        REQUIRE(sscanf(at, "\"type\": \"%15[^\"]\"", type) == 1);
        at = strstr(at, "\"kl_llama_cpp_from_f32_activations\": ");
        REQUIRE(at);
        check_model(type, strtod(strchr(at, ':') + 1, NULL), tokens);
    }
    CHECK_EQUAL(models, 11);
    free(manifest);
    free(tokens);
}

int main(void)
{
    RUN(divergence_is_small);
    return test_end();
}
