/* SPDX-License-Identifier: MIT */
/* loam bench: what its files share. */
#ifndef LOAM_CLI_BENCH_H
#define LOAM_CLI_BENCH_H

#include "cli.h"

enum { MAX_ROUNDS = 100, MAX_ROWS = 256 };

/* ---- bench_costs.c: what a token costs at least ----------------------------- */

struct token_costs {
    uint64_t bytes;         /* of weights read, as large as in the file */
    uint64_t multiply_adds; /* with matrices */
    int is_float;           /* most multiply-adds are of float weights */
};

int bench_costs(struct token_costs *out, loam_engine *engine, const char *path);

/* ---- bench_rounds.c --------------------------------------------------------- */

/* What one round measured; 0: not measured. */
struct bench_round {
    double prompt_tps, decode_tps; /* decode: all rows together */
    double read_gbps, int8_gmacs, f32_gmacs;
};

struct bench {
    loam_engine *engine;
    loam_model *model;
    loam_error error;
    long long prompt, decode, depth, rows, rounds; /* as the options say */
    unsigned long long read_bytes; /* of memory that the read limit goes through; 0: no limits */
    size_t length;                 /* tokens of a session when its decoding begins; at least 1 */
    int32_t *tokens;               /* [rows][length] */
    loam_session *sessions[MAX_ROWS];
    loam_event events[MAX_ROWS];
    uint64_t peak_bytes; /* most resident memory of the process, the limits' not counted */
    struct bench_round results[MAX_ROUNDS];
};

/* Makes the sessions, fills them and does the rounds. */
int bench_run(struct bench *bench);
void bench_end(struct bench *bench);

#endif
