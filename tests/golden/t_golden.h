/* SPDX-License-Identifier: MIT */
/* What the tests of whole models share: opening one, running tokens through it, comparing. A
 * failure that leaves nothing to go on with ends the program; the others are counted. */
#ifndef TESTS_GOLDEN_T_GOLDEN_H
#define TESTS_GOLDEN_T_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "zoracd/engine/ze_engine.h"

extern struct zc_diag t_dg;
extern int t_failures;

#define t_expect(cond, ...)               \
    do {                                  \
        if (!(cond)) {                    \
            t_failures++;                 \
            printf("FAIL: " __VA_ARGS__); \
            printf("\n");                 \
        }                                 \
    } while (0)

/* Ends the program with t_dg if r is an error. */
void t_must(int r, const char *what);

/* One thread, small prefill passes (several even for short prompts). */
struct ze_engine *t_open_model(const char *dir, bool exact, int head_bits);
/* The same with a choice of keys and values: fp8 instead of fp16. */
struct ze_engine *t_open_kv(const char *dir, bool exact, int head_bits, bool kv_f8);

/* A JSON array of ids, to be freed; room for one more. */
int32_t *t_ids(const json_t *list, size_t *ret_n);

/* Computes all that the sequence knows; the logits after its last token. */
const float *t_compute(struct ze_engine *e, struct ze_seq *s);

int t_argmax(const float *x, int n);

/* Calls row(r, arg) for each line of a JSON lines file. */
void t_each_row(const char *path, void (*row)(const json_t *r, void *arg), void *arg);

/* $top_srcdir/path, to be freed. */
char *t_source_path(const char *path);

#endif
