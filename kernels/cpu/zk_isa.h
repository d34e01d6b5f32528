/* SPDX-License-Identifier: MIT */
/* What the files compiled once per instruction set export to each other; each function is the
 * member of struct zk_isa of the same name. */
#ifndef KERNELS_CPU_ZK_ISA_H
#define KERNELS_CPU_ZK_ISA_H

#include "kernels/cpu/zk_cpu.h"
#include "kernels/cpu/zk_simd.h"

void ZK_V(mm_q8)(float *out, const struct zk_panel *p, const uint8_t *x, int rows, int r0, int n);
void ZK_V(mm_f32)(float *out, const struct zk_panel *p, const float *x, size_t ldx, int n);
void ZK_V(quantize)(uint8_t *chunk, int w, int t, const float *x, int n);
float ZK_V(rms_inv)(const float *x, float eps, int n);
void ZK_V(scale)(float *y, const float *x, const float *w, float inv, int n);
void ZK_V(swiglu)(float *y, const float *g, const float *u, int n);
void ZK_V(widen)(float *y, const void *x, enum zk_type type, size_t n);
void ZK_V(rope)(float *x, const float *cs, const struct zk_attn *a, const float *norm);
int ZK_V(kv_store)(uint8_t *head, int slot, const float *k, const float *v, int D,
                   enum zk_kv_type type);
void ZK_V(attn_stretch)(struct zk_attn_part *part, const struct zk_attn_tile *t, int stretch,
                        float *scores);
void ZK_V(attn_merge)(struct zk_attn_part *sum, const struct zk_attn_part *part, int n, int Dp);
double ZK_V(probe_read)(const void *p, size_t bytes);
double ZK_V(probe_peak)(enum zk_act_kind kind, long n);
double ZK_V(probe_q8)(long n);

#endif
