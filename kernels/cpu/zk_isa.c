/* SPDX-License-Identifier: MIT */
/* The table of one instruction set, and its probes. Compiled once per instruction set. */
#include "kernels/cpu/zk_isa.h"

const struct zk_isa ZK_V(isa) = {
    .name = ZK_ISA_NAME,
    .mm_q8 = ZK_V(mm_q8),
    .mm_f32 = ZK_V(mm_f32),
    .quantize = ZK_V(quantize),
    .rms_inv = ZK_V(rms_inv),
    .scale = ZK_V(scale),
    .swiglu = ZK_V(swiglu),
    .widen = ZK_V(widen),
    .rope = ZK_V(rope),
    .kv_store = ZK_V(kv_store),
    .attn_stretch = ZK_V(attn_stretch),
    .attn_merge = ZK_V(attn_merge),
    .probe_read = ZK_V(probe_read),
    .probe_peak = ZK_V(probe_peak),
};

double ZK_V(probe_read)(const void *p, size_t bytes)
{
    const float *f = p;
    vf s[8];
    ZK_UNROLL
    for (int i = 0; i < 8; i++)
        s[i] = v_zero();
    for (size_t n = bytes / sizeof(float) / (8 * ZK_VL); n > 0; n--, f += 8 * ZK_VL)
        ZK_UNROLL
    for (int i = 0; i < 8; i++)
        s[i] = v_add(s[i], v_load(f + i * ZK_VL));
    float sum = 0;
    ZK_UNROLL
    for (int i = 0; i < 8; i++)
        sum += v_hsum(s[i]);
    return (double)sum;
}

/* Twelve chains of multiply-adds that stay in registers. */
static double peak_f32(long n)
{
    vf s[12], a = v_set1(0.999f), b = v_set1(1e-3f);
    ZK_UNROLL
    for (int i = 0; i < 12; i++)
        s[i] = v_set1((float)i);
    for (long r = 0; r < n; r++)
        ZK_UNROLL
    for (int i = 0; i < 12; i++)
        s[i] = v_fma(s[i], a, b);
    float sum = 0;
    ZK_UNROLL
    for (int i = 0; i < 12; i++)
        sum += v_hsum(s[i]);
    return sum > 1e30f ? 0 : (double)n * 12 * ZK_VL;
}

double ZK_V(probe_peak)(enum zk_act_kind kind, long n)
{
    return kind == ZK_ACT_F32 ? peak_f32(n) : ZK_V(probe_q8)(n);
}
