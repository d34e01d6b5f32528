/* SPDX-License-Identifier: MIT */
/* Every byte that will be allocated, from config.json and the tensor headers alone, before the
 * first allocation. Any thread. */
#ifndef ZORACD_ENGINE_ZE_PLAN_H
#define ZORACD_ENGINE_ZE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/zk.h"

struct zc_buf;

struct ze_plan {
    uint64_t weights_form[ZK_N_FORMS]; /* bytes by device form */
    uint64_t weights;                  /* their sum, norms, biases and alignment too */
    uint64_t kv;                       /* kv_pages * kv_page_bytes */
    uint64_t scratch;                  /* of a pass, on the device */
    uint64_t backend;                  /* a GPU's: its own scratch, code, recorded passes at most */
    uint64_t host;                     /* logits, pages' book, what is sent: host memory */
    uint64_t embedding;                /* of the above: in host if embed_on_host, else in weights */
    uint64_t total;                    /* of the above; on a GPU without host */
    uint64_t staging;                  /* host memory while loading, given back before serving */
    uint64_t available;                /* for total: what the limit or the machine allows */
    uint64_t host_had;  /* what main memory had left, where that was too little for the embedding */
    bool host_apart;    /* a GPU: main memory is no part of total and limit */
    bool embed_on_host; /* pinned; a GPU's, unless main memory has no room */
    int context;        /* tokens per request that are promised */
    int kv_pages;
    uint64_t kv_page_bytes; /* of all layers */
    enum zk_kv_type kv_type;
    int head_bits; /* as asked: 8 quantizes a plain head */
    int max_seqs, prefill_chunk, logit_rows;
    int prefill_unit; /* prompts are cut at multiples of it; 0: anywhere, with the same bits */
    char quantization[256]; /* of the file, in words (zw_quant_describe) */
    int max_seen; /* tokens to penalize in a step that the device draws; 0: the host draws */
};

/* The word for its kv_type: "f16", "f32", "fp8". */
const char *ze_plan_kv_name(const struct ze_plan *p);

/* Lines for a person: what goes where, and what remains. Appended to out. */
void ze_plan_describe(const struct ze_plan *p, struct zc_buf *out);

#endif
