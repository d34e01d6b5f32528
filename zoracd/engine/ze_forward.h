/* SPDX-License-Identifier: MIT */
/* One pass of the model over a batch of rows, and the memory it works in. Engine thread. */
#ifndef ZORACD_ENGINE_ZE_FORWARD_H
#define ZORACD_ENGINE_ZE_FORWARD_H

#include "kernels/zk.h"
#include "zoracd/engine/ze_batch.h"
#include "zoracd/engine/ze_model.h"

/* Device memory that every pass uses again. */
struct ze_scratch {
    struct ze_limits max;
    float *x;         /* (B, C) the residual stream */
    float *qkv;       /* (B, (H + 2K) * D) */
    float *heads;     /* (B, H * D) what attention gives */
    float *gate, *up; /* (B, F), only where a layer has them apart */
    void *in;         /* (B, C) or (B, H * D), prepared for a product */
    void *hidden;     /* (B, F), prepared for a product */
    float *cs;        /* (B, 2, rot_dim / 2) cosines and sines */
    float *last;      /* (R, C) the stream of the rows whose logits are wanted */
    float *logits;    /* (R, V) of all passes of a step */
    char *meta;       /* what the host says about a pass: ze_batch.c */
};

/* Lays the scratch out; counts with an arena that has no base. */
void ze_scratch_place(struct ze_scratch *s, const struct ze_model *m, const struct ze_limits *max,
                      struct ze_arena *a);

/* Logits of p's out_rows to logits (n_out, V), keys and values of all rows to their pages.
 * Asynchronous: sync tells of failures. */
int ze_forward(const struct ze_model *m, const struct ze_scratch *s, const struct ze_pass *p,
               float *logits);

#endif
