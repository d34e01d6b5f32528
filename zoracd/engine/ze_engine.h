/* SPDX-License-Identifier: MIT */
/* The engine as the daemon sees it: one model, its KV pages, sequences, steps, samples. It knows
 * neither text nor clients; token ids go in and come out.
 *
 * Thread: ze_engine_open runs on the loader (or any one) thread; afterwards everything here belongs
 * to the engine thread. After ze_engine_open nothing is allocated on the device. */
#ifndef ZORACD_ENGINE_ZE_ENGINE_H
#define ZORACD_ENGINE_ZE_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zoracd/engine/ze_config.h"
#include "zoracd/engine/ze_plan.h"
#include "zoracd/engine/ze_sample.h"

struct zc_diag;
struct ze_engine;
struct ze_seq;

struct ze_opts {
    const char *dir;       /* the model */
    bool random_weights;   /* dir is a config.json: weights made up in place, to measure speed */
    const char *backend;   /* "auto", "cpu", "cuda" */
    const char *device;    /* which GPU, as zk_cuda_opts says */
    unsigned caps;         /* kernel capabilities, ZK_CAP_ALL for all */
    int threads;           /* 0: default */
    bool exact;            /* float activations and fp32 KV */
    bool kv_f8;            /* keys and values as ZK_KV_F8; not with exact */
    bool strict;           /* cached and recomputed tokens have the same bits on a GPU, too */
    int head_bits;         /* 8 or 16 */
    int context;           /* tokens per request; 0: the largest that fits, up to the model's */
    int max_seqs;          /* sequences in one step */
    int prefill_chunk;     /* rows of one prefill pass; 0: default */
    int logit_rows;        /* rows of logits in one step; 0: max_seqs */
    uint64_t memory_limit; /* bytes for everything the plan counts; 0: what the device has */
};

/* Told while loading, from any thread, in rising order of done. */
typedef void ze_progress_cb(uint64_t done_bytes, uint64_t total_bytes, void *arg);

/* Plans, loads, allocates: ready to step when it returns. *cancel (NULL allowed) set to true by
 * another thread ends it with ZC_ECANCELED. The plan is refused before anything is allocated. */
int ze_engine_open(struct ze_engine **ret_e, const struct ze_opts *opts, ze_progress_cb *progress,
                   void *arg, const atomic_bool *cancel, struct zc_diag *dg);
void ze_engine_free(struct ze_engine *e);

/* What ze_engine_open would check and plan, and no more: headers only, nothing is allocated for the
 * model. ZC_ELIMIT if it does not fit: ret_plan (may be NULL) is filled then too, and the diag says
 * what would fit. */
int ze_engine_check(const struct ze_opts *opts, struct ze_plan *ret_plan, struct zc_diag *dg);

const struct ze_config *ze_engine_config(const struct ze_engine *e);
const struct ze_plan *ze_engine_plan(const struct ze_engine *e);
/* "cpu avx2, 2 threads". */
const char *ze_engine_device(const struct ze_engine *e);
/* "cpu" or "cuda". */
const char *ze_engine_backend(const struct ze_engine *e);
/* Why the CPU serves though "auto" looked for a GPU, or why a GPU's steps are slower than they
 * should be; NULL: all is as it should be. */
const char *ze_engine_notice(const struct ze_engine *e);
/* The device itself, for the probes of zorac-bench. Borrowed. */
struct zk_dev *ze_engine_zk_dev(struct ze_engine *e);
/* The activations that its largest products eat, those of the feed-forward layers. */
enum zk_act_kind ze_engine_act_kind(const struct ze_engine *e);

/* What a step costs at the least, whatever our layouts are: every matrix once at its format's own
 * bits (codes, scales, zero points), keys and values as they are typed; the operations of products
 * and attention, a multiply-add being two. The step: each of n_seqs sequences computes n_rows
 * tokens after depth others, and logits of the last. */
struct ze_cost {
    double bytes, flops;
};
struct ze_cost ze_engine_cost(const struct ze_engine *e, int n_seqs, int n_rows, int depth);

/* ---- sequences ---------------------------------------------------------------------------- */

/* A sequence over ids (copied), with pages reserved for n + reserve tokens. Pages that hold an
 * equal prefix under the same root (a user's number, so that nobody's cache answers another's) are
 * shared; at least the last id is left to compute. ZC_ELIMIT: can never fit (over the context, or
 * over all pages). ZC_EBUSY: not now; pages of freed sequences are given up before it says so. */
int ze_seq_new(struct ze_seq **ret_s, struct ze_engine *e, uint64_t root, const int32_t *ids,
               size_t n, size_t reserve, struct zc_diag *dg);
/* Gives the pages back; they stay findable by their content until they are needed: a sequence that
 * goes on where this one ended finds all that was computed. */
void ze_seq_free(struct ze_seq *s);
/* Reserves pages so that the sequence can reach n_tokens; ZC_EBUSY, ZC_ELIMIT as above. */
int ze_seq_reserve(struct ze_seq *s, size_t n_tokens);
/* For measuring: counts the next n tokens as computed, their keys and values made up. The pages are
 * not findable. ZC_EINVAL: not so many are known, or some of the sequence was computed. */
int ze_seq_pretend(struct ze_seq *s, size_t n);
/* Appends a token that was sampled; it is computed by the next step that includes the sequence.
 * ZC_ELIMIT: nothing is reserved for it; ZC_EINVAL: not in the vocabulary. Allocates nothing. */
int ze_seq_append(struct ze_seq *s, int32_t id);

size_t ze_seq_len(const struct ze_seq *s);      /* ids known */
size_t ze_seq_computed(const struct ze_seq *s); /* of these, keys and values present */
size_t ze_seq_cached(const struct ze_seq *s);   /* found in the cache when it was made */
const int32_t *ze_seq_ids(const struct ze_seq *s);

/* ---- steps -------------------------------------------------------------------------------- */

/* What one sequence does in a step: computes its next n_rows tokens (at most what is known and not
 * computed; 1 for decode). want_logits: after the last of them. */
struct ze_work {
    struct ze_seq *seq;
    int n_rows; /* of a prompt: to a multiple of plan.prefill_unit in the own positions, if it is
                   not 0, or to the end: else the bits depend on the cuts */
    bool is_prompt; /* also if it is one row: which is of a reply otherwise */
    bool want_logits;
    bool want_all; /* logits after each row: teacher forcing in tools and tests */
    /* With want_logits, or NULL: on a device that draws, it draws token number `index` of this
     * sampler, which is borrowed and not changed, and the logits stay there. */
    const struct ze_sampler *sampler;
    uint64_t index;
    const float *logits; /* out: [V] (or [n_rows][V]), until the next step; NULL: not wanted, or */
    int32_t drawn;       /* out: what was drawn; -1: draw from the logits (ze_sampler_draw) */
};

/* Computes all works, decode rows and prefill rows in separate passes. At most max_seqs works, each
 * sequence once, at most logit_rows rows of logits (else ZC_EINVAL). A failure leaves the sequences
 * as they were (ZC_ELIMIT: a value does not fit the KV type; ZC_EDEVICE: the device is lost).
 * Allocates nothing. */
int ze_step(struct ze_engine *e, struct ze_work *works, int n_works, struct zc_diag *dg);

/* pages = used + cached + free; promised: of cached and free, spoken for by admitted sequences. */
struct ze_kv_stats {
    size_t pages, pages_used, pages_cached, pages_free, pages_promised;
};
void ze_engine_kv_stats(const struct ze_engine *e, struct ze_kv_stats *ret);

#endif
