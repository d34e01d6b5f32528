/* SPDX-License-Identifier: MIT */
/* Every kernel of every capability of this machine against kernels/ref: what the parts of kcheck
 * share. A test makes a case, asks the reference once, then each level. Nothing is compared with
 * another variant, except a variant with itself where it promises equal bits. */
#ifndef TESTS_KCHECK_KCHECK_H
#define TESTS_KCHECK_KCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_err.h"
#include "kernels/zk.h"

#define KC_EPS 0x1p-24 /* half the distance from 1 to the next float: one rounding */

/* A capability of this machine, as devices of one thread: [0] with the activations that serve best,
 * [1] exact. With --cuda the one level is the GPU (or the simulator). */
struct kc_level {
    const char *name;
    unsigned caps;
    struct zk_dev *dev[2];
};

extern struct kc_level kc_levels[4];
extern int kc_n_levels;
extern struct zk_dev *kc_ref[2];
extern bool kc_bench; /* --bench: also time */
extern bool kc_cuda;

/* Kinds of activations that the levels know: floats first. */
extern enum zk_act_kind kc_kinds[ZK_N_ACT_KINDS];
extern int kc_n_kinds;

/* A device like the level's, with so many threads where there are any. NULL: the case failed. */
struct zk_dev *kc_with_threads(const struct kc_level *lv, int threads, bool exact);

/* --limit=N: whether a case of so many multiply-adds is left out. */
bool kc_is_over(double work);

/* ---- random numbers, from the seed that is printed ---- */
uint64_t kc_rand(void);
int kc_int(int lo, int hi); /* both included */
float kc_unit(void);        /* -1 .. 1 */

/* What the numbers of an input are like. */
enum kc_fill { KC_RANDOM, KC_TINY, KC_HUGE, KC_ZEROS, KC_SPIKE, KC_DENORMAL, KC_EQUAL, KC_N_FILLS };
const char *kc_fill_name(enum kc_fill fill);
void kc_fill(float *x, size_t n, enum kc_fill fill);

/* ---- memory ---- */

/* Bytes that end at an unmapped page and begin after a canary; zeroed. Freed by kc_release. All
 * memory from here and from kc_mem is device memory, too: host and device see it at one address. */
void *kc_buf(size_t bytes);
/* Checks the canaries of all buffers since the last call and frees them. */
bool kc_release(void);
/* Ordinary zeroed memory that lives until kc_release. */
void *kc_mem(size_t bytes);

/* ---- running and comparing ---- */

/* Waits for all devices: what they wrote can be looked at. Comparisons wait by themselves. */
void kc_settle(void);
/* What the operation returned, or, if that is ZC_OK, the next sync. */
int kc_result(struct zk_dev *dev, int r);

/* Runs fn(arg); a crash or a false is a FAIL line for this case and level. Returns whether it
 * passed. what: a description of the case, printed on failure. */
bool kc_run(const struct kc_level *lv, const char *what, bool (*fn)(void *), void *arg);
/* Says why the case at hand failed; returns false. */
bool kc_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Same bits? */
bool kc_equal(const float *y, const float *want, size_t n);
/* |y - want| <= bound, each; NaN fails. */
bool kc_within(const float *y, const double *want, const double *bound, size_t n);
/* sum (y - want)^2 / sum want^2 */
double kc_nmse(const float *y, const float *want, size_t n);

/* Seconds of the best of nine calls, for --bench. */
double kc_time(void (*fn)(void *), void *arg);

/* ---- shared with tests that need a product to see prepared activations ---- */

/* Prepared activations as floats, through the product with an identity matrix, which is exact for
 * both kinds. act->k <= 4096. */
int kc_read_act(struct zk_dev *dev, float *y, const struct zk_act *act);
/* Guarded memory for prepared activations of a device. */
struct zk_act kc_act(struct zk_dev *dev, enum zk_act_kind kind, int rows, int k);

/* ---- the families ---- */
void kc_test_pack(void);
void kc_test_matmul(void);
void kc_test_onehot(void);
void kc_test_control(void);
void kc_test_rows(void);
void kc_test_swiglu(void);
void kc_test_rope(void);
void kc_test_attn(void);
void kc_test_limit(void);
void kc_test_batch(void);
void kc_test_chunks(void);
void kc_test_bench(void);

#endif
