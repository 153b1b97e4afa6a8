/* SPDX-License-Identifier: MIT */
/* The products of the level amx once more, with the model of its tiles in place
 * of the instructions, so that their arithmetic is tested where there is no AMX. */
#include "tiles_model.h"

#define loam_kernels_amx kernels_amx_model

#include "cpu/x86/amx.c"
