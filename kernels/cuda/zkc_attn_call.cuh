/* SPDX-License-Identifier: MIT */
/* The ways to compute attention; zkc_attn.cu chooses among them by the shape and the phase alone.
 */
#ifndef KERNELS_CUDA_ZKC_ATTN_CALL_CUH
#define KERNELS_CUDA_ZKC_ATTN_CALL_CUH

#include "kernels/cuda/zkc.cuh"

#define ZKC_SPLIT 256 /* positions whose softmax is computed by one block */

struct zkc_geometry;

bool zkc_attn_decode_takes(const struct zkc_geometry *g);
/* Any number of rows, each by itself: the same bits in any company. Uses d->work. */
int zkc_attn_decode(struct zkc_dev *d, float *o, const float *qkv, const struct zk_batch *b,
                    const struct zkc_geometry *g, const struct zk_kv *kv);

bool zkc_attn_prefill_takes(const struct zkc_geometry *g);
/* Rows of a sequence together, 16-bit queries and weights. */
int zkc_attn_prefill(struct zkc_dev *d, float *o, const float *qkv, const struct zk_batch *b,
                     const struct zkc_geometry *g, const struct zk_kv *kv);

#endif
