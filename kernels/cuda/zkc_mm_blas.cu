/* SPDX-License-Identifier: MIT */
/* Prefill through cuBLAS: slices of the packed matrix become 16-bit rows in d->work, small enough
 * to stay in the L2 cache until cuBLAS has read them; the product goes to its place, or, of pairs,
 * to d->work behind the slice and from there through SwiGLU.
 *
 * The price over the kernel for packed weights is 2 bytes per weight written and read in L2 (0.53
 * from memory either way), once, whatever the number of rows; the gain is cuBLAS's 90 % and more of
 * the tensor cores' peak against an own 60 to 70. Crossover (D * peak / (2 P (1/e_m - 1/e_c))):
 * about 90 rows on a 3090 whose L2 is too small, 140 on a 4090, 250 on an H100, with what has yet
 * to be measured. Weights are rounded to 16 bits here, as the reference dequantises them. */
#include "kernels/cuda/zkc_blas.cuh"
#include "kernels/cuda/zkc_mm_block.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"
#include "kernels/cuda/zkc_mm_tune.h"

#define WARPS       4
#define THREADS     (WARPS * 32)
#define SLICE_BYTES ((size_t)ZKC_TUNE_SLICE << 20) /* of weights at most */

namespace
{
/* Two numbers of 16 bits times a scale, rounded once; W16 has none. */
template <int FORM, int TYPE> ZKC_DEV uint32_t scaled(uint32_t v, float scale)
{
    if (FORM == ZK_W16)
        return v;
    const float2 f = zkc_unpair<TYPE>(v);
    return zkc_pair<TYPE>(f.x * scale, f.y * scale);
}

/* A piece of the matrix that is dequantised at a time. */
struct piece {
    int panel0, panels;
    int block0, blocks; /* of 128 columns */
};

/* A warp is one block of a panel: 16-byte loads of codes, 16-byte stores of 8 columns of a row, 64
 * consecutive bytes per row. out: (rows of the panels, columns of the blocks). Grid: blocks / 4,
 * panels. */
template <int FORM, int TYPE>
__global__ void __launch_bounds__(THREADS)
    dequantize_kernel(const zkc_mm_args p, const struct piece s, uint16_t *out)
{
    using F = zkc_mm_form<FORM>;
    const int lane = threadIdx.x % 32, column = blockIdx.x * WARPS + threadIdx.x / 32;
    const int g = lane / 4, q = lane % 4, panel = s.panel0 + blockIdx.y;
    const int block = s.block0 + column, ld = s.blocks * ZKC_MM_K;
    if (column >= s.blocks)
        return;
    const zkc_mm_table<FORM> table = zkc_mm_table_at<FORM>(p.table);
    const uint8_t *base = p.w + (size_t)panel * p.panel_bytes;
    const uint8_t *codes = base + (size_t)block * ZKC_MM_CODES + lane * 16;
    const uint8_t *meta = base + (size_t)p.blocks * ZKC_MM_CODES + (size_t)block * p.meta.bytes;
    out += (size_t)blockIdx.y * F::panel * ld + column * ZKC_MM_K + q * 8;
    for (int i = 0; i < F::tiles; i++) {
        uint4 vec;
#pragma unroll
        for (int u = 0; u < 4; u++) {
            const int set = p.meta.mask == 3 ? 0 : p.meta.mask == 1 ? u / 2 : u;
            zkc_mm_zero zero[1] = {};
            float2 scale[1] = {};
            uint32_t a[2][4];
            if (FORM != ZK_W16) {
                if constexpr (F::has_zeros)
                    zkc_mm_zeros<FORM, TYPE>(zero, meta, p.meta, set, i, g);
                zkc_mm_scales<FORM, TYPE>(scale, meta, p.meta, set, i, g);
            }
#pragma unroll
            for (int t = 0; t < 2; t++) {
                const int step = 2 * u + t;
                if (step % F::steps == 0)
                    vec = zkc_ld_stream16(codes + (i * F::vectors + step / F::steps) * 512);
                zkc_mm_operand<FORM, TYPE>(a[t], vec, step % F::steps, zero[0], table);
            }
#pragma unroll
            for (int b = 0; b < 2; b++) {
                const float f = b ? scale[0].y : scale[0].x;
                uint4 v =
                    make_uint4(scaled<FORM, TYPE>(a[0][b], f), scaled<FORM, TYPE>(a[0][b + 2], f),
                               scaled<FORM, TYPE>(a[1][b], f), scaled<FORM, TYPE>(a[1][b + 2], f));
                *reinterpret_cast<uint4 *>(out + (size_t)(i * 16 + g + 8 * b) * ld + u * 32) = v;
            }
        }
    }
}

/* y[r][i] = (add ? y[r][i] : 0) + bias[i]. Grid: n / 128, rows. */
__global__ void __launch_bounds__(THREADS)
    bias_kernel(float *y, int ldy, const float *bias, int n, bool add)
{
    const int i = blockIdx.x * THREADS + threadIdx.x;
    float *to = y + (size_t)blockIdx.y * ldy + i;
    if (i < n)
        *to = bias[i] + (add ? *to : 0);
}

/* SwiGLU of sums (rows, n) whose columns are a slice's rows: 8 gates, 8 ups, and so on; outputs
 * f0 to f1, which is lda with the last slice. Grid: (f1 - f0) / 128, rows. */
__global__ void __launch_bounds__(THREADS)
    pairs_kernel(const zkc_mm_args p, const float *sums, int n, int f0, int f1)
{
    const int f = f0 + blockIdx.x * THREADS + threadIdx.x, half = p.n / 2, row = blockIdx.y;
    if (f >= f1)
        return;
    if (f >= half) {
        zkc_mm_store_act(p, row, f, 0);
        return;
    }
    const float *s = sums + (size_t)row * n + (f - f0) / 8 * 16 + f % 8;
    const float gate = s[0] + (p.bias ? p.bias[f] : 0), up = s[8] + (p.bias ? p.bias[half + f] : 0);
    zkc_mm_store_act(p, row, p.inverse ? p.inverse[f] : f, zkc_silu(gate) * up);
}

/* ---- launching --------------------------------------------------------------------------- */

static unsigned groups(int n, int of)
{
    return (unsigned)((n + of - 1) / of);
}

template <int FORM>
static int dequantize(struct zkc_dev *d, const zkc_mm_args &a, enum zk_type type,
                      const struct piece &s, uint16_t *out)
{
    const dim3 grid(groups(s.blocks, WARPS), (unsigned)s.panels);
    auto kernel =
        type == ZK_F16 ? dequantize_kernel<FORM, ZK_F16> : dequantize_kernel<FORM, ZK_BF16>;
    return zkc_check(d, zkc_launch(kernel, grid, dim3(THREADS), 0, d->stream, a, s, out));
}

static int dequantize_any(struct zkc_dev *d, const zkc_mm_args &a, const struct zkc_mm_call *c,
                          const struct piece &s, uint16_t *out)
{
    switch (c->lo->form) {
    case ZK_W4A:
        return dequantize<ZK_W4A>(d, a, c->type, s, out);
    case ZK_W8A:
        return dequantize<ZK_W8A>(d, a, c->type, s, out);
    case ZK_W4L:
        return dequantize<ZK_W4L>(d, a, c->type, s, out);
    case ZK_W8F:
        return dequantize<ZK_W8F>(d, a, c->type, s, out);
    case ZK_W16:
        return dequantize<ZK_W16>(d, a, c->type, s, out);
    default:
        return ZC_EINTERNAL;
    }
}

/* The size of pieces; panels is 0 if there is no work for one panel. A product of few rows is few
 * tiles, of about 128 rows of both: so a piece has the rows of W whose tiles are about a wave of
 * all SMs, or several, all pieces alike, and where that is too much of a long row, some columns. */
static struct piece piece_of(const struct zkc_dev *d, const zkc_mm_args &a, int panel)
{
    const size_t most = d->work_bytes < SLICE_BYTES ? d->work_bytes : SLICE_BYTES;
    const int across = (a.rows + 127) / 128, down = d->sms / across > 1 ? d->sms / across : 1;
    const int wave = down * 128 / panel, rounds = (2 * a.panels + wave) / (2 * wave);
    const int equal = rounds > 1 ? (a.panels + rounds - 1) / rounds : a.panels;
    struct piece s = {};
    s.blocks = a.blocks;
    const size_t column = (size_t)equal * (size_t)panel * 256;
    if (a.y && column * (size_t)a.blocks > most) {
        const int fit = (int)(most / column);
        s.blocks = fit > 8 ? fit : 8;
        s.blocks = s.blocks < a.blocks ? s.blocks : a.blocks;
    }
    const size_t weights = (size_t)panel * (size_t)s.blocks * 256;
    const size_t sums = a.y ? 0 : (size_t)panel * (size_t)a.rows * sizeof(float);
    size_t n = d->work_bytes / (weights + sums);
    n = n < most / weights || most < weights ? n : most / weights;
    n = n < 65535 ? n : 65535;
    s.panels = (int)n > equal ? (int)n / equal * equal : (int)n;
    return s;
}

/* Weights at w, sums of pairs behind them. */
static int multiply(struct zkc_dev *d, const zkc_mm_args &a, const struct zkc_mm_call *c,
                    const struct piece &s, uint16_t *w)
{
    const int panel = c->lo->panel, n0 = s.panel0 * panel, n = s.panels * panel;
    const int k0 = s.block0 * ZKC_MM_K, ld = s.blocks * ZKC_MM_K;
    const int k = c->lo->k - k0 < ld ? c->lo->k - k0 : ld;
    int r = dequantize_any(d, a, c, s, w);
    if (r < 0)
        return r;
    if (a.y) {
        const int there = a.n - n0 < n ? a.n - n0 : n;
        return zkc_blas_gemm(d, c->type, there, a.rows, k, w, ld, a.x + k0, a.ldx,
                             a.add || a.bias || k0 > 0, a.y + n0, a.ldy);
    }
    float *sums = (float *)(void *)(w + (size_t)n * (size_t)ld);
    r = zkc_blas_gemm(d, c->type, n, a.rows, k, w, ld, a.x, a.ldx, false, sums, n);
    if (r < 0)
        return r;
    const int f0 = n0 / 2, f1 = s.panel0 + s.panels == a.panels ? a.lda : (n0 + n) / 2;
    return zkc_check(d, zkc_launch(pairs_kernel, dim3(groups(f1 - f0, THREADS), (unsigned)a.rows),
                                   dim3(THREADS), 0, d->stream, a, (const float *)sums, n, f0, f1));
}

} /* namespace */

int zkc_mm_blas(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    const zkc_mm_args a = zkc_mm_args_of(d, c);
    const struct piece size = d->blas ? piece_of(d, a, c->lo->panel) : piece{};
    struct piece s = size;
    int r = ZC_OK;
    if (size.panels == 0 || a.rows > 65535)
        return ZC_EUNSUPPORTED;
    if (a.y && a.bias)
        r = zkc_check(d, zkc_launch(bias_kernel, dim3(groups(a.n, THREADS), (unsigned)a.rows),
                                    dim3(THREADS), 0, d->stream, a.y, a.ldy, a.bias, a.n, a.add));
    for (s.panel0 = 0; s.panel0 < a.panels; s.panel0 += size.panels)
        for (s.block0 = 0; s.block0 < a.blocks && r == ZC_OK; s.block0 += size.blocks) {
            s.panels = a.panels - s.panel0 < size.panels ? a.panels - s.panel0 : size.panels;
            s.blocks = a.blocks - s.block0 < size.blocks ? a.blocks - s.block0 : size.blocks;
            r = multiply(d, a, c, s, (uint16_t *)d->work);
        }
    return r;
}
