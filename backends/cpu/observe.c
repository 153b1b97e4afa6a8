/* SPDX-License-Identifier: MIT */
/* What products take, shown to who asked for it: importance matrices. */
#include "cpu/run.h"

static void show(const struct work *work, const struct weight *weight, loam_observation what)
{
    what.struct_size = sizeof what;
    what.weight = weight->name;
    what.width = weight->width;
    if (what.rows > 0)
        work->step->observe(work->step->observe_user, &what);
}

void loam_observe_phase(const struct work *work)
{
    const struct phase *phase = work->phase;
    const struct node *node = phase->node;
    if (phase->kind == PHASE_LINEAR || phase->kind == PHASE_LINEAR_HEADS) {
        const struct weight *weight = loam_work_weight(work, node->inputs[1]);
        uint32_t heads = phase->kind == PHASE_LINEAR ? 1 : node->heads;
        const float *x = loam_work_value(work, node->inputs[0]);
        for (uint32_t i = 0; i < heads; i++)
            show(work, weight,
                 (loam_observation){.matrix = i,
                                    .matrices = heads,
                                    .rows = work->rows,
                                    .stride = (size_t)weight->width * heads,
                                    .x = x + (size_t)i * weight->width});
    } else if (phase->kind == PHASE_EXPERT_LINEAR) {
        const struct weight *weight = loam_work_weight(work, node->inputs[phase->product]);
        for (uint32_t i = 0; i < node->experts.count; i++) {
            loam_observation what = {
                .matrix = i, .matrices = node->experts.count, .stride = weight->width};
            what.x = loam_experts_input(work, i, &what.rows);
            show(work, weight, what);
        }
    }
}
