/* SPDX-License-Identifier: MIT */
/* Which sequence contributes which rows to a pass: gathered on the host, sent in one piece. Engine
 * thread. */
#ifndef ZORACD_ENGINE_ZE_BATCH_H
#define ZORACD_ENGINE_ZE_BATCH_H

#include <stdint.h>

#include "kernels/zk.h"

struct ze_sampler;

/* The largest pass, which decides the size of everything below. */
struct ze_limits {
    int rows;       /* B: of one pass */
    int seqs;       /* in one pass */
    int logit_rows; /* R: rows of logits of one pass */
    int seq_pages;  /* pages of one sequence */
    int seen;       /* tokens to penalize, of all rows that a device draws */
};

/* One pass. Arrays are device memory. */
struct ze_pass {
    struct zk_batch batch;
    const int32_t *ids;          /* (B) */
    const int32_t *out_rows;     /* (n_out) the rows whose logits are wanted */
    int n_out;                   /* <= R */
    const struct zk_draw *draws; /* (n_out) what is drawn from them */
    const struct zk_seen *seen;
};

struct ze_batch {
    struct ze_limits max;
    char *host;                    /* the piece that is sent; the caller's, of ops->host_alloc */
    char *meta;                    /* where it goes on the device */
    int32_t *ids, *pos, *out_rows; /* parts of host */
    struct zk_seq *seqs;
    struct zk_draw *draws;
    int32_t *pages;
    struct zk_seen *seen;
    int n_rows, n_seqs, n_out, n_pages, n_seen, last_pos;
};

/* Bytes of the block that tells a pass everything. */
uint64_t ze_batch_bytes(const struct ze_limits *max);
/* host and meta: ze_batch_bytes of max each. */
void ze_batch_init(struct ze_batch *b, const struct ze_limits *max, char *host, char *meta);
void ze_batch_clear(struct ze_batch *b);

/* Adds rows first .. first + n of a sequence whose ids and pages are given; logits are wanted of
 * the rows from out_first (n: of none). It must fit: rows, sequences, out rows, pages. */
void ze_batch_add(struct ze_batch *b, const int32_t *ids, const int32_t *pages, int first, int n,
                  int out_first);
/* Has the device draw token number `index` of the sampler from the last row that was added, if it
 * can: else nothing is drawn. */
void ze_batch_draw(struct ze_batch *b, const struct ze_sampler *s, uint64_t index);
/* Makes up the number of rows with padding, of one row each, logits too, and says of positions only
 * that they are within the limits: to the device, all passes of as many rows, one each and all with
 * logits, are the same but for what is sent. */
void ze_batch_pad(struct ze_batch *b, int rows);
/* Sends it; the pass is valid until the next ze_batch_send. host stays as it is until a sync. */
int ze_batch_send(struct ze_batch *b, struct zk_dev *dev, struct ze_pass *ret_p);

#endif
