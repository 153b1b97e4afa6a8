/* SPDX-License-Identifier: MIT */
/* Floating-point numbers and their decimal forms, both ways exactly rounded,
 * independent of any locale. */
#ifndef LOAM_BASE_NUMBER_H
#define LOAM_BASE_NUMBER_H

#include "base/base.h"

/* Digits of a positive finite number: 0.d1 d2 d3 ... times 10^point. */
struct decimal {
    char digits[800]; /* as characters, no zeros at the end */
    int count;
    int point;
};

/* All digits of a finite number other than zero; its sign is left out. */
void loam_number_digits(struct decimal *out, double number);

/* Rounds to `count` digits, to nearest, ties to even. */
void loam_number_round(struct decimal *decimal, int count);

/* Room for the longest text that loam_number_show writes. */
enum { NUMBER_TEXT = 32 };

/* The shortest decimal that reads back as the same number, in Python's form:
 * "1.0", "1e+16", "-0.0001", "inf", "nan". Returns the length. */
size_t loam_number_show(char out[NUMBER_TEXT], double number);

/* An integer. Returns the length. */
size_t loam_number_show_integer(char out[NUMBER_TEXT], int64_t number);

/* Reads digits, optional fraction and exponent; all of text[length] must be
 * that. An exponent out of range gives infinity or zero. */
bool loam_number_read(double *out, const char *text, size_t length);

#endif
