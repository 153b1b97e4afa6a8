/* SPDX-License-Identifier: MIT */
/* The public header compiles alone, as strict C99, without a warning. Its
 * include stands first: nothing prepares the ground. */
#include <loam/loam.h>

#include "header_test.h"
