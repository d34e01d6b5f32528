/* SPDX-License-Identifier: MIT */
/* zorac-bench: a figure, how it is measured, how it is printed. One thread beside the kernels'
 * pool.
 *
 * Where the memory bus is shared with others, what it gives changes from one millisecond to the
 * next. So decoding and reading take turns: after each step some memory is read, and the bound of
 * the line is the rate of all those readings together. Nothing comes between the steps of a
 * prefill, which is one: its bound is measured before and after, the higher counting. */
#ifndef ZORACD_TOOLS_ZB_H
#define ZORACD_TOOLS_ZB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zoracd/engine/ze_engine.h"
#include "zoracd/tools/zb_profile.h"

struct zb_result {
    bool is_prefill;
    int batch, depth, tokens;
    double tokens_per_s;
    struct ze_cost cost;   /* of one step; of the whole prompt */
    struct zb_rates rates; /* while it ran, or just before and after it */
    double best;           /* bytes per second, the best reading of them */
    double joules;         /* per token; 0: the device does not say */
};

/* Memory that is read, a slice at a time, round and round. */
struct zb_reader {
    struct zk_dev *dev;
    enum zk_act_kind act; /* what the model's products eat */
    uint8_t *p;
    size_t size, at;
    double bytes, seconds; /* of the readings for the line that is measured */
};

/* What fails in these ends the program, as zo_fail says it. */

/* mib: of memory on e's device, taken until zb_reader_release. */
void zb_reader_init(struct zb_reader *r, struct ze_engine *e, int mib);
void zb_reader_release(struct zb_reader *r);
/* What the machine can do at this moment. */
void zb_measure_rates(struct zb_reader *reader, struct zb_rates *ret);

/* Both leave joules and, for prefill, rates and best to the caller. */
void zb_measure_prefill(struct ze_engine *e, int tokens, struct zb_result *ret);
void zb_measure_decode(struct ze_engine *e, int batch, int depth, int tokens,
                       struct zb_reader *reader, struct zb_result *ret);
/* Whether e's device counts energy. */
bool zb_has_joules(struct ze_engine *e);
/* Joules of a token in steps without readings between them, over a second or more, since the device
 * counts them a few times a second. 0: it does not say. */
double zb_measure_joules(struct ze_engine *e, int batch, int depth, int tokens);
/* Prompts, and steps after them, once in a batch as the device serves it and once sequence by
 * sequence with nothing recorded: ends the program unless all logits are equal bit by bit. Returns
 * a hash of them, which other runs may be compared with. e: of ZB_CHECK_CONTEXT tokens or more. */
#define ZB_CHECK_TOKENS  40
#define ZB_CHECK_CONTEXT 64
uint64_t zb_check_bits(struct ze_engine *e, int batch);
/* Runs r's steps again, each operation timed, and prints a line for each. */
void zb_measure_profile(struct ze_engine *e, const struct zb_result *r, bool json);

/* shape: the model's name, as the line says it; device: ze_engine_device's. */
void zb_print_rates(const struct zb_rates *r, const char *shape, const char *device, bool json);
void zb_print_result(const struct zb_result *r, const char *shape, const char *device, bool json);

void zb_print_bits(int batch, uint64_t hash, const char *shape, const char *device, bool json);

#endif
