/* SPDX-License-Identifier: MIT */
/* A fuzz target: one function, which libFuzzer calls with what it invents, and
 * driver.c with files and with changed copies of a good input. */
#ifndef LOAM_TESTS_FUZZ_H
#define LOAM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
