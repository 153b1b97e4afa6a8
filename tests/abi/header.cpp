// SPDX-License-Identifier: MIT
// The public header compiles alone, as strict C++17, without a warning.
#include <loam/loam.h>

#include "header_test.h"
