/* SPDX-License-Identifier: MIT */
/* The engine's own structs, shared by ze_engine.c and ze_seq.c. */
#ifndef ZORACD_ENGINE_ZE_ENGINE_INTERNAL_H
#define ZORACD_ENGINE_ZE_ENGINE_INTERNAL_H

#include "zoracd/engine/ze_batch.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/engine/ze_forward.h"
#include "zoracd/engine/ze_internal.h"
#include "zoracd/engine/ze_kv.h"
#include "zoracd/engine/ze_model.h"

struct ze_engine {
    struct zk_dev *dev;
    char notice[640]; /* what the device is not that it should be, or empty */
    struct ze_model *m;
    struct ze_plan plan;
    struct ze_kv *kv;
    void *kv_base, *scratch_base; /* device, plan.kv and plan.scratch bytes */
    struct ze_scratch scratch;
    struct ze_batch batch;
    char *batch_host; /* host_alloc, batch_bytes */
    size_t batch_bytes;
    float *logits;      /* (logit_rows, V), where the host can read */
    float *logits_host; /* that, if it is not the scratch's own; else NULL */
    int32_t *drawn;     /* (logit_rows) host_alloc: what the device drew from each; -1: nothing */
    int n_logits;       /* rows that this step has filled */
    int n_seqs;         /* that live */
};

struct ze_seq {
    struct ze_engine *e;
    struct ze_chain chain;
    int32_t *ids;    /* (cap) */
    size_t n, cap;   /* cap: the tokens that pages are promised for */
    size_t computed; /* of n, keys and values present */
    size_t cached;
};

/* One more thing that is not as it should be, and why. */
void ze_engine_add_notice(struct ze_engine *e, const char *what, const char *why);

/* Has a device do everything once that it does later, and record the passes of decode, so that no
 * request waits and nothing is taken of its memory after READY. What can't be recorded is in the
 * notice; an error is one of computing. (ze_ready.c) */
int ze_engine_make_ready(struct ze_engine *e, struct zc_diag *dg);
/* Starts what the batch holds, logits from `logits` on; record: its number, or 0. (ze_step.c) */
int ze_engine_pass(struct ze_engine *e, enum zk_phase phase, int record, float *logits,
                   struct zc_diag *dg);

/* Pages for the next n rows, out of what was promised. */
void ze_seq_take(struct ze_seq *s, int n);
/* The next n rows have been computed. */
void ze_seq_advance(struct ze_seq *s, int n);

#endif
