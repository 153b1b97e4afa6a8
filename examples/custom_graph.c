/* SPDX-License-Identifier: MIT */
/* A graph of one's own: y = down(silu(gate(x)) * up(x)), the feed-forward
 * block of a Llama, for two rows of two numbers. */
#define LOAM_EXPERIMENTAL
#include <loam/loam.h>

#include <math.h>
#include <stdio.h>

/* Each weight is [outputs][inputs]. */
static const float gate[3][2] = {{1, 0}, {0, 1}, {1, 1}};
static const float up[3][2] = {{2, 0}, {0, 2}, {1, -1}};
static const float down[2][3] = {{1, 1, 0}, {0, 1, 1}};

int main(void)
{
    loam_error error = {.struct_size = sizeof error};
    loam_engine *engine = NULL;
    loam_graph *graph = NULL;
    float rows[2][2] = {{1, 2}, {-1, 0}}, result[2][2];
    const float *inputs[] = {rows[0]};
    /* Without attention, rows need no pages: one sequence of both rows. */
    loam_step_sequence sequence = {.first_row = 0, .row_count = 2};
    loam_step_descriptor step = {.struct_size = sizeof step,
                                 .rows = 2,
                                 .sequence_count = 1,
                                 .sequences = &sequence,
                                 .inputs = inputs,
                                 .result = result[0]};
    loam_status status = loam_engine_create(&engine, NULL, &error);
    if (!status)
        status = loam_graph_create(&graph, engine, &error);
    if (!status) {
        /* Errors of these calls are remembered; compiling reports the first. */
        loam_tensor x = loam_graph_input(graph, 2);
        loam_tensor g = loam_graph_linear(
            graph, x, loam_graph_weight(graph, "gate", LOAM_TYPE_F32, 2, 3, gate), LOAM_NO_TENSOR);
        loam_tensor u = loam_graph_linear(
            graph, x, loam_graph_weight(graph, "up", LOAM_TYPE_F32, 2, 3, up), LOAM_NO_TENSOR);
        loam_tensor h = loam_graph_gate(graph, g, u, LOAM_ACTIVATION_SILU);
        loam_tensor y = loam_graph_linear(
            graph, h, loam_graph_weight(graph, "down", LOAM_TYPE_F32, 3, 2, down), LOAM_NO_TENSOR);
        status = loam_graph_compile(graph, y, NULL, &error);
    }
    if (!status)
        status = loam_graph_run(graph, &step, &error);
    if (status)
        fprintf(stderr, "custom_graph: %s\n", error.message);
    for (int row = 0; !status && row < 2; row++)
        printf("%g %g -> %.6f %.6f\n", rows[row][0], rows[row][1], result[row][0], result[row][1]);
    /* By hand: silu(1) * 2 + silu(2) * 4 = 1.462117 + 7.046377, and
     * silu(2) * 4 + silu(3) * -1 = 7.046377 - 2.857722. */
    int right =
        !status && fabs(result[0][0] - 8.508494) < 1e-5 && fabs(result[0][1] - 4.188654) < 1e-5;
    loam_graph_release(graph);
    loam_engine_release(engine);
    return !right;
}
