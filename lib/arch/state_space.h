/* SPDX-License-Identifier: MIT */
/* State space layers, which several families share. */
#ifndef LOAM_ARCH_STATE_SPACE_H
#define LOAM_ARCH_STATE_SPACE_H

#include "arch/decoder.h"

/* The keys ssm.*. */
struct state_space {
    uint32_t taps;   /* conv_kernel */
    uint32_t inner;  /* inner_size: width of what is scanned */
    uint32_t state;  /* state_size: numbers that each of them keeps */
    uint32_t rank;   /* time_step_rank: width of steps before they are spread; Mamba 2: heads */
    uint32_t groups; /* group_count: heads of a group share B and C */
    bool norms;      /* dt_b_c_rms: steps, B and C are normed */
};

/* A decoder with such layers; first in what d->recur is given. */
struct state_space_decoder {
    struct decoder decoder;
    struct state_space space;
};

/* Reads the keys; `groups`: as Mamba 2 has them. */
void loam_state_space_read(struct builder *b, struct state_space *s, bool groups);

/* The layers of Mamba 1 and 2, for d->recur of a struct state_space_decoder. */
loam_tensor loam_state_space_mamba(struct builder *b, const struct decoder *d,
                                   const struct layer *layer, loam_tensor x);
loam_tensor loam_state_space_mamba2(struct builder *b, const struct decoder *d,
                                    const struct layer *layer, loam_tensor x);

/* blk.N.ssm_conv1d with its bias, if there is one, then SiLU. */
loam_tensor loam_state_space_convolve(struct builder *b, uint32_t layer, loam_tensor x,
                                      uint32_t taps, uint32_t width);

#endif
