/* SPDX-License-Identifier: MIT */
/* The instructions of kernels/cuda/zkc_ptx.cuh, and the values of fp16. */
#include "sim_internal.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

using namespace sim;

/* ---- fp16 -------------------------------------------------------------------------------- */

float sim::half_values[65536];

static int make_half_values()
{
    float *v = sim::half_values;
    for (int i = 0; i < 65536; i++) {
        int e = i >> 10 & 31, m = i & 1023;
        float a = e == 31 ? (m ? NAN : INFINITY)
                  : e     ? std::ldexp((float)(1024 + m), e - 25)
                          : std::ldexp((float)m, -24);
        v[i] = i & 0x8000 ? -a : a;
    }
    return 0;
}
[[maybe_unused]] static const int made = make_half_values();

namespace simptx
{
/* ---- asynchronous copies ----------------------------------------------------------------- */

/* The source is read at issue; the destination is filled with NaN at once and gets the data only
 * in the wait. So a missing wait, or a buffer refilled while somebody still reads it, shows. */
void cp_async(zkc_smem dst, const void *src, int size, int n, Site s)
{
    Worker *w = W;
    Thread *t = w->curt;
    char *d = (char *)dst;
    if (n < 0 || n > size)
        fail("cp.async at %s:%d: src size %d of %d", s.file, s.line, n, size);
    if (dst % size)
        fail("cp.async at %s:%d: shared address %% %d is %d", s.file, s.line, size,
             (int)(dst % size));
    if ((uintptr_t)src % size)
        fail("cp.async at %s:%d: global address %% %d is %d", s.file, s.line, size,
             (int)((uintptr_t)src % size));
    if (!in_shared(w, d, size))
        fail("cp.async at %s:%d: destination is outside the block's shared memory", s.file, s.line);
    if (n)
        sim::access(w, t, src, n, A_READ, nullptr, s);
    sim::access(w, t, d, size, A_INFLIGHT, nullptr, s);
    Copy c{d, (const char *)src, t->cp_group, (uint8_t)size, {}};
    if (n)
        memcpy(c.data, src, n);
    memset(d, 0xff, size);
    t->cp.push_back(c);
}

uint4 ld_nc16(const void *p, Site s)
{
    Worker *w = W;
    if ((uintptr_t)p % 16)
        fail("ld.global.nc at %s:%d: the address %% 16 is %d", s.file, s.line,
             (int)((uintptr_t)p % 16));
    sim::access(w, w->curt, p, 16, A_READ, nullptr, s);
    sim::check_nc(w, p, 16, s);
    uint4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

void cp_commit()
{
    W->curt->cp_group++;
}

void cp_wait(int n, Site s)
{
    Worker *w = W;
    Thread *t = w->curt;
    if (seeded())
        sim::yield(); /* let others see the destination while it is in flight */
    while (t->cp_head < t->cp.size() && (int)(t->cp_group - t->cp[t->cp_head].group) > n) {
        Copy &c = t->cp[t->cp_head++];
        memcpy(c.dst, c.data, c.size);
        sim::access(w, t, c.dst, c.size, A_LAND, nullptr, s);
    }
    if (t->cp_head == t->cp.size()) {
        t->cp.clear();
        t->cp_head = 0;
    }
}

/* ---- ldmatrix ---------------------------------------------------------------------------- */

struct LdArg {
    char *row;
    uint32_t *r;
    Site s;
};

template <int NUM, bool TRANS> static void ldm(void **a, uint32_t)
{
    Worker *w = W;
    for (int i = 0; i < NUM; i++) {
        for (int r = 0; r < 8; r++) {
            LdArg *x = (LdArg *)a[i * 8 + r];
            if ((uintptr_t)x->row % 16)
                fail("ldmatrix at %s:%d: lane %d's row is not aligned to 16", x->s.file, x->s.line,
                     i * 8 + r);
            if (!in_shared(w, x->row, 16))
                fail("ldmatrix at %s:%d: lane %d's row is outside the block's shared memory",
                     x->s.file, x->s.line, i * 8 + r);
            sim::access(w, w->curt->warp->t[i * 8 + r], x->row, 16, A_READ, nullptr, x->s);
        }
        for (int l = 0; l < 32; l++) {
            uint32_t *r = &((LdArg *)a[l])->r[i];
            if (!TRANS) {
                memcpy(r, ((LdArg *)a[i * 8 + l / 4])->row + l % 4 * 4, 4);
                continue;
            }
            uint16_t h[2];
            for (int k = 0; k < 2; k++)
                memcpy(&h[k], ((LdArg *)a[i * 8 + l % 4 * 2 + k])->row + l / 4 * 2, 2);
            memcpy(r, h, 4);
        }
    }
}

void ldmatrix(uint32_t *r, zkc_smem row, int num, bool trans, Site s)
{
    static const CollFn fn[2][3] = {{ldm<1, false>, ldm<2, false>, ldm<4, false>},
                                    {ldm<1, true>, ldm<2, true>, ldm<4, true>}};
    LdArg a{(char *)row, r, s};
    collective(~0u, K_LDMATRIX, num * 2 + trans, "ldmatrix", true, s, &a, fn[trans][num / 2]);
}

/* ---- mma --------------------------------------------------------------------------------- */

typedef float v8 __attribute__((vector_size(32)));
struct MmaArg {
    float *d;
    const uint32_t *a;
    const uint32_t *b;
    const float *c;
};

/* Eight registers to sixteen floats. */
template <Type T> static inline void widen(const uint32_t *r, float *f)
{
    for (int i = 0; i < 8; i++) {
        f[2 * i] = T == F16 ? half_values[r[i] & 0xffff] : bits<float>(r[i] << 16);
        f[2 * i + 1] = T == F16 ? half_values[r[i] >> 16] : bits<float>(r[i] & 0xffff0000u);
    }
}

/* c + the sum of 16 products as tensor cores are seen to add: what is added is cut off at the last
 * place of the largest, and so is the result. */
static float sum_cut(float c, const float *a, const float *b)
{
    double part[17], sum = 0, top = 0;
    int e;
    part[16] = (double)c;
    for (int k = 0; k < 16; k++)
        part[k] = (double)a[k] * (double)b[k];
    for (double v : part)
        top = std::max(top, std::fabs(v));
    if (!(top > 0) || std::isinf(top))
        return (float)std::accumulate(part, part + 17, 0.0);
    std::frexp(top, &e);
    for (double v : part)
        sum += std::ldexp(std::trunc(std::ldexp(v, 24 - e)), e - 24);
    if (sum == 0)
        return 0;
    std::frexp(sum, &e);
    return (float)std::ldexp(std::trunc(std::ldexp(sum, 24 - e)), e - 24);
}

/* Fragments as zkc_ptx.cuh says. Products are exact in float; the sum over 16 is in float, as good
 * as a device's, whose order is its own. */
template <Type T> static void mma_fn(void **p, uint32_t)
{
    uint32_t aw[16][8], bw[8][8];
    float A[16][16], Bt[8][16];
    v8 B[16], D[16];
    for (int l = 0; l < 32; l++) {
        MmaArg *x = (MmaArg *)p[l];
        int g = l / 4, q = l % 4;
        for (int i = 0; i < 4; i++)
            aw[g + 8 * (i & 1)][q + 4 * (i >> 1)] = x->a[i];
        for (int i = 0; i < 2; i++)
            bw[g][q + 4 * i] = x->b[i];
    }
    for (int i = 0; i < 16; i++)
        widen<T>(aw[i], A[i]);
    for (int i = 0; i < 8; i++)
        widen<T>(bw[i], Bt[i]);
    for (int k = 0; k < 16; k++)
        for (int n = 0; n < 8; n++)
            B[k][n] = Bt[n][k];
    static const bool is_cut = getenv("CUDASIM_MMA") && !strcmp(getenv("CUDASIM_MMA"), "trunc");
    if (is_cut) {
        for (int l = 0; l < 32; l++) {
            MmaArg *x = (MmaArg *)p[l];
            for (int i = 0; i < 4; i++)
                x->d[i] = sum_cut(x->c[i], A[l / 4 + 8 * (i >> 1)], Bt[2 * (l % 4) + (i & 1)]);
        }
        return;
    }
    for (int m = 0; m < 16; m++) {
        v8 s = {};
        for (int k = 0; k < 16; k++)
            s += A[m][k] * B[k];
        D[m] = s;
    }
    for (int l = 0; l < 32; l++) {
        MmaArg *x = (MmaArg *)p[l];
        for (int i = 0; i < 4; i++)
            x->d[i] = x->c[i] + D[l / 4 + 8 * (i >> 1)][2 * (l % 4) + (i & 1)];
    }
}

void mma(float *d, const uint32_t *a, const uint32_t *b, const float *c, Type t, Site s)
{
    MmaArg x{d, a, b, c};
    collective(~0u, K_MMA, t, "mma.sync", true, s, &x, t == F16 ? mma_fn<F16> : mma_fn<BF16>);
}
} /* namespace simptx */
