/* SPDX-License-Identifier: MIT */
/* One model on one device: every matrix and vector of the forward pass, bound to names of the files
 * once, strictly, then placed in one block, then loaded. Three passes over the same two lists, so
 * that what is planned is what is allocated is what is filled. Thread: one at a time; loading uses
 * the loader's own. */
#ifndef ZORACD_ENGINE_ZE_MODEL_H
#define ZORACD_ENGINE_ZE_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/zk.h"
#include "zoracd/engine/ze_config.h"
#include "zoracd/weights/zw_load.h"

struct zc_diag;

/* Pieces of one block. With base NULL it only counts: planning and placing are the same code. */
struct ze_arena {
    char *base;
    uint64_t used;
};

/* The next piece, on a cache line of its own; NULL while counting. */
void *ze_arena_take(struct ze_arena *a, uint64_t bytes);

/* One matrix, made of one to three linear layers of the files. */
struct ze_linear {
    struct zk_mat mat; /* d from the headers; data placed, then packed */
    float *bias;       /* (mat.d.n), or NULL */
    bool has_bias;
    bool quantize_w8a; /* the head: plain in the file, 8 bits here */
    struct zw_linear part[ZW_MAX_PARTS];
    int n_parts;
};

struct ze_layer {
    float *attn_norm, *ffn_norm; /* (C) */
    float *q_norm, *k_norm;      /* (D), or NULL */
    struct ze_linear qkv[3];     /* one of (H + 2K) * D rows, or q, k, v apart */
    int n_qkv;
    struct ze_linear o;          /* C x H * D */
    struct ze_linear gate_up[2]; /* one of pairs, or gate, up apart: F x C */
    int n_gate_up;
    struct ze_linear down; /* C x F */
    struct zk_attn attn;
    struct zk_kv kv; /* this layer's pages */
};

/* A vector of the files and where its floats go. */
struct ze_vector {
    char name[192];
    int n;
    float **slot;
};

struct ze_model {
    struct ze_config c;
    struct zk_dev *dev;     /* borrowed */
    struct zw_store *store; /* NULL: weights are made up */
    struct zw_quant *quant;
    char prefix[32]; /* of the language model's names: "model." */

    const struct zw_tensor *embed_tensor;
    void *embed;        /* (V, C) of embed_type */
    bool embed_on_host; /* in memory of host_alloc, not in the block */
    enum zk_type embed_type;
    float *norm;             /* (C) */
    struct ze_linear head;   /* V x C */
    struct ze_layer *layers; /* (L) */
    float *inv_freq;         /* (rot_dim / 2) */
    float rope_scale;

    struct ze_vector *vectors; /* everything that is placed, in order */
    int n_vectors;
    struct ze_linear **linears;
    int n_linears;
    uint64_t form_bytes[ZK_N_FORMS]; /* set by ze_model_place: of the block */
    void *block;
    uint64_t block_bytes;
};

/* Reads configuration and headers of dir, and binds. With random_weights dir is a config.json, and
 * matrices have the forms its quantization_config says. head_bits: 8 quantizes a plain head. A
 * configuration that contradicts the tensors is ZC_EFORMAT, naming tensor and both shapes; a tensor
 * of the language model that the architecture has no use for, too. */
int ze_model_bind(struct ze_model **ret_m, const char *dir, bool random_weights, int head_bits,
                  struct zk_dev *dev, struct zc_diag *dg);
/* Puts every matrix and vector into the arena; counts with an arena that has no base. */
void ze_model_place(struct ze_model *m, struct ze_arena *a);
uint64_t ze_model_embed_bytes(const struct ze_model *m);
/* Allocates the embedding's memory if that is the host's. Where it can't be had, embed_on_host is
 * cleared and ZC_ENOMEM returned: the model is to be planned again. */
int ze_model_take_host(struct ze_model *m, struct zc_diag *dg);
/* Allocates the block of ze_model_place, and fills it and the embedding. */
int ze_model_load(struct ze_model *m, const struct zw_load_opts *opts, struct zc_diag *dg);
/* The loader's own memory for that. */
uint64_t ze_model_staging(const struct ze_model *m, const struct zw_load_opts *opts);
void ze_model_free(struct ze_model *m);

#endif
