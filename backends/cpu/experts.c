/* SPDX-License-Identifier: MIT */
/*
 * Mixtures of experts: rows are routed, pairs of a row and an expert are put
 * in the order of experts, so that each expert is three products with a block
 * of rows, and each row sums what its experts gave, by ascending id (rule 8).
 */
#include "cpu/run.h"

#include <math.h>

/* The buffer `order`: pairs sorted by expert. */
struct order {
    uint32_t *first;               /* [count + 1]: pairs of experts before this one */
    uint32_t *active;              /* [count]: experts with pairs, active_count of them */
    uint32_t *active_count, *most; /* pairs of one expert at most */
    uint32_t *source;              /* [pairs]: row * used + k of the pair at each place */
    uint32_t *place;               /* [pairs]: the reverse */
};

static uint64_t order_bytes(uint64_t count, uint64_t pairs)
{
    return (2 * count + 3 + 2 * pairs) * sizeof(uint32_t);
}

static struct order order_of(const struct work *work)
{
    const struct node *node = work->phase->node;
    uint32_t count = node->experts.count;
    struct order order;
    order.first = loam_work_buffer(work->program, work->program->mixtures[node->index].order);
    order.active = order.first + count + 1;
    order.active_count = order.active + count;
    order.most = order.active_count + 1;
    order.source = order.most + 1;
    order.place = order.source + (size_t)work->token_rows * node->experts.used;
    return order;
}

static uint32_t *ids_of(const struct work *work)
{
    return loam_work_buffer(work->program, work->program->mixtures[work->phase->node->index].route);
}

static float *weights_of(const struct work *work)
{
    return (float *)(ids_of(work) + (size_t)work->token_rows * work->phase->node->experts.used);
}

/* ---- compiling ------------------------------------------------------------ */

static bool add(struct cpu_program *program, const struct node *node, enum phase_kind kind)
{
    struct phase phase = {.kind = kind,
                          .node = node,
                          .tensor = LOAM_NO_TENSOR,
                          .out = NO_BUFFER,
                          .out_scales = NO_BUFFER,
                          .quantized = -1};
    return loam_segment_add(program, &phase);
}

/* The phase that quantises pairs of `width` numbers; -1 without memory. */
static int32_t add_quantize(struct cpu_program *program, const struct node *node, uint32_t product,
                            int32_t source, uint64_t pairs, uint32_t width, uint32_t group)
{
    struct phase phase = {.kind = PHASE_EXPERT_QUANTIZE,
                          .node = node,
                          .tensor = LOAM_NO_TENSOR,
                          .quantized = -1,
                          .group = group,
                          .product = product};
    phase.out = loam_segment_buffer(program, pairs * width);
    phase.out_scales = loam_segment_buffer(program, loam_cpu_scales_bytes(pairs, width, group));
    loam_segment_use(program, source);
    if (phase.out == NO_BUFFER || phase.out_scales == NO_BUFFER ||
        !loam_segment_add(program, &phase))
        return -1;
    return (int32_t)program->phase_count - 1;
}

/* The buffer of what the activation gives: in place of one of its inputs, or of
 * its own where that is the rows of both. */
static int32_t activated(const struct expert_buffers *b, const struct node *node)
{
    return node->experts.gate_in_up ? b->gate : b->up;
}

/* One of the three products: from buffer `source` to a new one, its number in
 * *out. *quantized is a phase that quantised the source, or -1. */
static bool add_product(struct cpu_program *program, const struct node *node, uint32_t product,
                        int32_t source, uint64_t pairs, int32_t *quantized, int32_t *out)
{
    const struct weight *weight = loam_graph_weight_of(program->graph, node->inputs[product]);
    uint32_t group = weight->type->activation_group;
    bool known = *quantized >= 0 && program->phases[*quantized].group == group;
    if (group && !known)
        *quantized = add_quantize(program, node, product, source, pairs, weight->width, group);
    if (group && *quantized < 0)
        return false;
    struct phase phase = {.kind = PHASE_EXPERT_LINEAR,
                          .node = node,
                          .tensor = LOAM_NO_TENSOR,
                          .out_scales = NO_BUFFER,
                          .quantized = group ? *quantized : -1,
                          .product = product};
    uint32_t rows = product == EXPERT_DOWN ? node->width : node->hidden;
    if (product == EXPERT_UP && node->experts.gate_in_up)
        rows *= 2;
    phase.out = *out = loam_segment_buffer(program, pairs * rows * sizeof(float));
    loam_segment_use(program, source);
    loam_segment_use(program, program->mixtures[node->index].order);
    if (group) {
        loam_segment_use(program, program->phases[*quantized].out);
        loam_segment_use(program, program->phases[*quantized].out_scales);
    }
    return *out != NO_BUFFER && loam_segment_add(program, &phase);
}

bool loam_experts_compile(struct cpu_program *program, const struct node *node)
{
    struct expert_buffers *b = &program->mixtures[node->index];
    uint64_t pairs = loam_plan_rows(program->plan, node) * node->experts.used;
    bool gated = node->inputs[EXPERT_GATE] != LOAM_NO_TENSOR;
    int32_t quantized = -1;
    *b = (struct expert_buffers){NO_BUFFER, NO_BUFFER, NO_BUFFER, NO_BUFFER, NO_BUFFER, NO_BUFFER};
    b->route = loam_segment_buffer(program, pairs * (sizeof(uint32_t) + sizeof(float)));
    if (b->route == NO_BUFFER || !add(program, node, PHASE_ROUTE))
        return false;
    b->order = loam_segment_buffer(program, order_bytes(node->experts.count, pairs));
    loam_segment_use(program, b->route);
    if (b->order == NO_BUFFER || !add(program, node, PHASE_EXPERT_GROUP))
        return false;
    b->x = loam_segment_buffer(program, pairs * node->width * sizeof(float));
    loam_segment_use(program, b->route);
    loam_segment_use(program, b->order);
    if (b->x == NO_BUFFER || !add(program, node, PHASE_EXPERT_GATHER))
        return false;
    if (gated && !add_product(program, node, EXPERT_GATE, b->x, pairs, &quantized, &b->gate))
        return false;
    if (!add_product(program, node, EXPERT_UP, b->x, pairs, &quantized, &b->up))
        return false;
    if (node->experts.gate_in_up &&
        (b->gate = loam_segment_buffer(program, pairs * node->hidden * sizeof(float))) == NO_BUFFER)
        return false;
    loam_segment_use(program, b->gate);
    loam_segment_use(program, b->up);
    if (!add(program, node, PHASE_EXPERT_ACTIVATE))
        return false;
    quantized = -1;
    return add_product(program, node, EXPERT_DOWN, activated(b, node), pairs, &quantized, &b->y);
}

/* ---- row by row ----------------------------------------------------------- */

void loam_experts_route(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const loam_experts_options *o = &node->experts;
    loam_tensor bias = node->inputs[EXPERT_SELECTION_BIAS];
    struct route_tile tile = {
        .scores = loam_work_value(work, node->inputs[1]),
        .bias = bias == LOAM_NO_TENSOR ? NULL : loam_work_weight(work, bias)->resident,
        .ids = ids_of(work),
        .weights = weights_of(work),
        .count = o->count,
        .used = o->used,
        .groups = o->groups,
        .groups_used = o->groups_used,
        .router = o->router,
        .normalised = o->normalised != 0,
        .scale = o->scale == 0 ? 1 : o->scale,
        .first_row = first,
        .row_count = count};
    work->program->backend->kernels.route(&tile);
}

/* Sorts all pairs by expert, rows ascending. */
void loam_experts_group(const struct work *work, size_t first, size_t count)
{
    const loam_experts_options *o = &work->phase->node->experts;
    struct order order = order_of(work);
    const uint32_t *ids = ids_of(work);
    size_t pairs = (first + count) * o->used;
    uint32_t next[MAX_EXPERTS];
    memset(order.first, 0, (o->count + 1) * sizeof *order.first);
    for (size_t i = 0; i < pairs; i++)
        order.first[ids[i] + 1]++;
    *order.active_count = *order.most = 0;
    for (uint32_t e = 0; e < o->count; e++) {
        uint32_t own = order.first[e + 1];
        *order.most = own > *order.most ? own : *order.most;
        if (own)
            order.active[(*order.active_count)++] = e;
        order.first[e + 1] += order.first[e];
        next[e] = order.first[e];
    }
    for (size_t i = 0; i < pairs; i++) {
        order.place[i] = next[ids[i]]++;
        order.source[order.place[i]] = (uint32_t)i;
    }
}

/* Rows of pairs, weighted if it is their input that is. */
void loam_experts_gather(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    struct order order = order_of(work);
    const float *x = loam_work_value(work, node->inputs[0]), *weights = weights_of(work);
    float *out = loam_work_buffer(work->program, work->program->mixtures[node->index].x);
    size_t width = node->width;
    for (size_t i = first; i < first + count; i++) {
        const float *from = x + order.source[i] / node->experts.used * width;
        memcpy(out + i * width, from, width * sizeof *out);
        for (size_t k = 0; node->experts.weighs_input && k < width; k++)
            out[i * width + k] *= weights[order.source[i]];
    }
}

void loam_experts_quantize(const struct work *work, size_t first, size_t count)
{
    const struct phase *phase = work->phase;
    const struct expert_buffers *b = &work->program->mixtures[phase->node->index];
    bool down = phase->product == EXPERT_DOWN;
    size_t width = down ? phase->node->hidden : phase->node->width;
    struct quantized rows = loam_work_quantized(work, phase, width);
    int32_t source = down ? activated(b, phase->node) : b->x;
    struct quantize_tile tile = {.x = loam_work_buffer(work->program, source),
                                 .q = rows.q,
                                 .scales = rows.scales,
                                 .sums32 = rows.sums32,
                                 .sums16 = rows.sums16,
                                 .x_stride = width,
                                 .width = width,
                                 .group = phase->group,
                                 .first_row = first,
                                 .row_count = count};
    work->program->backend->kernels.quantize(&tile);
}

/* out = activation(gate) * up, or activation(up), of so many numbers. */
static void activate(const struct work *work, const float *gate, const float *up, float *out,
                     size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct cpu_kernels *kernels = &work->program->backend->kernels;
    if (gate && node->experts.activation == LOAM_ACTIVATION_SILU) {
        struct elementwise_tile tile = {
            .a = gate, .b = up, .out = out, .first = first, .count = count};
        kernels->gate_silu(&tile);
        return;
    }
    struct map_tile tile = {.x = gate ? gate : up,
                            .b = gate ? up : NULL,
                            .out = out,
                            .function = node->experts.activation,
                            .parameters = node->experts.parameters,
                            .first = first,
                            .count = count};
    kernels->map(&tile);
}

void loam_experts_activate(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    const struct expert_buffers *b = &work->program->mixtures[node->index];
    size_t hidden = node->hidden;
    float *up = loam_work_buffer(work->program, b->up);
    float *gate = b->gate == NO_BUFFER ? NULL : loam_work_buffer(work->program, b->gate);
    if (!node->experts.gate_in_up) {
        activate(work, gate, up, up, first * hidden, count * hidden);
        return;
    }
    for (size_t row = first; row < first + count; row++)
        activate(work, up + row * 2 * hidden, up + row * 2 * hidden + hidden, gate + row * hidden,
                 0, hidden);
}

/* acc = fma(weight, y, acc) over a row's experts, by ascending id, from +0; the
 * weight is first multiplied by the expert's scale, if there are any. */
void loam_experts_combine(const struct work *work, size_t first, size_t count)
{
    const struct node *node = work->phase->node;
    struct order order = order_of(work);
    const float *weights = weights_of(work);
    const uint32_t *ids = ids_of(work);
    loam_tensor scaled = node->inputs[EXPERT_SCALES];
    const float *scales =
        scaled == LOAM_NO_TENSOR ? NULL : loam_work_weight(work, scaled)->resident;
    const float *y = loam_work_buffer(work->program, work->program->mixtures[node->index].y);
    float *out = loam_work_value(work, work->phase->tensor);
    size_t width = node->width, used = node->experts.used;
    for (size_t row = first; row < first + count; row++) {
        struct scaled_tile tile = {.out = out + row * width, .count = width};
        memset(tile.out, 0, width * sizeof *tile.out);
        for (size_t k = row * used; k < (row + 1) * used; k++) {
            float w = node->experts.weighs_input ? 1.0f : weights[k];
            tile.x = y + order.place[k] * width;
            tile.factor = scales ? w * scales[ids[k]] : w;
            work->program->backend->kernels.add_scaled(&tile);
        }
    }
}

/* ---- products ------------------------------------------------------------- */

uint32_t loam_experts_cut(struct work *work)
{
    const struct node *node = work->phase->node;
    const struct weight *weight = loam_work_weight(work, node->inputs[work->phase->product]);
    struct order order = order_of(work);
    uint32_t all = (uint32_t)(weight->rows / node->experts.count);
    loam_work_cut(work, weight, *order.most);
    work->outputs_per_tile = (uint32_t)loam_min(work->outputs_per_tile, all);
    work->output_tiles = (all + work->outputs_per_tile - 1) / work->outputs_per_tile;
    return *order.active_count * work->output_tiles * work->row_tiles;
}

static const float *bias_of(const struct work *work, uint32_t product, size_t expert, size_t rows)
{
    uint32_t place = product + (EXPERT_GATE_BIAS - EXPERT_GATE);
    loam_tensor bias = work->phase->node->inputs[place];
    return bias == LOAM_NO_TENSOR
               ? NULL
               : (const float *)loam_work_weight(work, bias)->resident + expert * rows;
}

/* All row blocks of an output range of one expert, then the next range. */
void loam_experts_linear(void *context, uint32_t index, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    uint32_t product = work->phase->product;
    const struct weight *weight = loam_work_weight(work, node->inputs[product]);
    const struct expert_buffers *b = &work->program->mixtures[node->index];
    struct order order = order_of(work);
    size_t block = index % work->row_tiles, range = index / work->row_tiles;
    size_t expert = order.active[range / work->output_tiles];
    size_t rows = weight->rows / node->experts.count, width = weight->width;
    size_t first = order.first[expert] + block * work->rows_per_tile;
    if (first >= order.first[expert + 1])
        return;
    struct linear_tile tile = {.type = weight->type,
                               .row_bytes = loam_work_row_bytes(weight),
                               .panel_bytes = loam_work_panel_bytes(weight),
                               .width = width,
                               .x_stride = width,
                               .out_stride = rows,
                               .bias = bias_of(work, product, expert, rows),
                               .ahead = work->program->backend->kernels.linear_ahead};
    size_t bytes = tile.panel_bytes ? rows / PANEL_ROWS * tile.panel_bytes : rows * tile.row_bytes;
    tile.weights = (const char *)weight->resident + expert * bytes;
    tile.first_output = range % work->output_tiles * work->outputs_per_tile;
    tile.output_count = loam_min(work->outputs_per_tile, rows - tile.first_output);
    tile.rows = loam_min(work->rows_per_tile, order.first[expert + 1] - first);
    if (work->phase->quantized >= 0) {
        struct quantized q =
            loam_work_quantized(work, &work->program->phases[work->phase->quantized], width);
        tile.q = q.q + first * width;
        tile.scales = q.scales + first * q.groups;
        tile.sums32 = q.sums32 + first * (width / 32);
        tile.sums16 = q.sums16 + first * (width / 16);
    }
    int32_t source = product == EXPERT_DOWN ? activated(b, node) : b->x;
    tile.x = (const float *)loam_work_buffer(work->program, source) + first * width;
    tile.out = (float *)loam_work_buffer(work->program, work->phase->out) + first * rows;
    work->program->backend->kernels.linear[weight->type->id](&tile);
}

const float *loam_experts_input(const struct work *work, uint32_t expert, uint32_t *rows)
{
    const struct phase *phase = work->phase;
    const struct expert_buffers *b = &work->program->mixtures[phase->node->index];
    bool down = phase->product == EXPERT_DOWN;
    size_t width = down ? phase->node->hidden : phase->node->width;
    const float *x = loam_work_buffer(work->program, down ? b->up : b->x);
    struct order order = order_of(work);
    *rows = order.first[expert + 1] - order.first[expert];
    return x + order.first[expert] * width;
}

/* ---- heads ---------------------------------------------------------------- */

/* Row blocks of one head, then the next head. Quantised rows of a head do not
 * lie one after the other: each is a product of its own. */
void loam_experts_heads(void *context, uint32_t index, int32_t worker)
{
    (void)worker;
    const struct work *work = context;
    const struct node *node = work->phase->node;
    const struct weight *weight = loam_work_weight(work, node->inputs[1]);
    size_t width = weight->width, rows = weight->rows / node->heads, all = width * node->heads;
    size_t head = index / work->row_tiles, first, count;
    loam_work_tile_rows(work, index % work->row_tiles, &first, &count);
    struct linear_tile tile = {.type = weight->type,
                               .row_bytes = loam_work_row_bytes(weight),
                               .panel_bytes = loam_work_panel_bytes(weight),
                               .width = width,
                               .x_stride = all,
                               .output_count = rows,
                               .out_stride = node->width,
                               .ahead = work->program->backend->kernels.linear_ahead};
    size_t bytes = tile.panel_bytes ? rows / PANEL_ROWS * tile.panel_bytes : rows * tile.row_bytes;
    tile.weights = (const char *)weight->resident + head * bytes;
    bool quantizes = work->phase->quantized >= 0;
    struct quantized q = {0};
    if (quantizes)
        q = loam_work_quantized(work, &work->program->phases[work->phase->quantized], all);
    tile.rows = quantizes ? 1 : count;
    for (size_t row = first; row < first + count; row += tile.rows) {
        tile.out = loam_work_value(work, work->phase->tensor) + row * node->width + head * rows;
        tile.x = loam_work_value(work, node->inputs[0]) + row * all + head * width;
        if (quantizes) {
            tile.q = q.q + row * all + head * width;
            tile.scales = q.scales + row * q.groups + head * (q.groups / node->heads);
            tile.sums32 = q.sums32 + (row * all + head * width) / 32;
            tile.sums16 = q.sums16 + (row * all + head * width) / 16;
        }
        work->program->backend->kernels.linear[weight->type->id](&tile);
    }
}
