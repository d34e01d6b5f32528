/* SPDX-License-Identifier: MIT */
/* Matrices of every form, type and shape, the simple way: a warp is one output feature. It serves
 * what the fast kernels do not take (fp32, odd groups, exact arithmetic), and is what they are
 * compared with on a device.
 *
 * Layout, everything row-major and columns kp = k rounded up to 32 apart:
 *   W4A  codes [n][kp/2], column 2i low; scales [n][G]; zeros [n][G] bytes if there are any
 *   W8A  codes [n][kp]; scales; zeros
 *   W4L  as W4A without zeros, scales float; behind them the table, 16 floats, rounded to what the
 *        activations are, then as it was given
 *   W8F  codes [n][kp]; scales, float
 *   W16, W32  [n][kp]
 * Scales begin at a multiple of 256 after the codes, zeros at a multiple of 256 after the scales.
 */
#include "kernels/cuda/zkc_dev.cuh"

extern "C" {
#include "common/zc_mem.h"
}

#define WARPS    4
#define THREADS  (WARPS * 32)
#define MAX_ROWS 8 /* rows of activations that go over a row of weights together */

struct plain {
    const uint8_t *codes, *zeros;
    const void *scales;
    const float *table;
    enum zk_form form;
    enum zk_type type; /* of scales, or of the numbers */
    int n, k, kp, group, groups;
    size_t row_bytes; /* of codes or weights */
};

static size_t round_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

/* The matrix at data (NULL: sizes only); returns its bytes. */
static size_t plain_place(struct plain *p, const struct zk_mat_desc *d, const void *data)
{
    const uint8_t *base = static_cast<const uint8_t *>(data);
    *p = plain{};
    p->form = d->form, p->type = zk_scale_type(d), p->n = d->n, p->k = d->k;
    p->kp = (int)round_up((size_t)d->k, 32);
    p->row_bytes = !zk_form_is_coded(d->form)               ? (size_t)p->kp * zk_type_size(d->type)
                   : d->form == ZK_W4A || d->form == ZK_W4L ? (size_t)p->kp / 2
                                                            : (size_t)p->kp;
    size_t end = round_up((size_t)d->n * p->row_bytes, 256);
    p->codes = base;
    if (!zk_form_is_coded(d->form))
        return end;
    p->group = d->group < d->k ? d->group : p->kp;
    p->groups = (p->kp + p->group - 1) / p->group;
    p->scales = base + end;
    end += round_up((size_t)d->n * (size_t)p->groups * zk_type_size(p->type), 256);
    if (d->has_zero) {
        p->zeros = base + end;
        end += round_up((size_t)d->n * (size_t)p->groups, 256);
    }
    if (d->form == ZK_W4L) {
        p->table = (const float *)(const void *)(base + end);
        end += 256;
    }
    return end;
}

static size_t plain_bytes(const struct zk_mat_desc *desc)
{
    struct plain p;
    return plain_place(&p, desc, NULL);
}

/* ---- packing, on the host ------------------------------------------------------------------ */

static void pack_row(uint8_t *image, const struct plain *p, const struct zk_canon *c, int i,
                     int row)
{
    uint8_t *to = image + (size_t)row * p->row_bytes;
    const size_t k = (size_t)c->k;
    if (!zk_form_is_coded(c->form)) {
        size_t size = zk_type_size(c->type);
        memcpy(to, (const uint8_t *)c->w + (size_t)i * k * size, k * size);
        return;
    }
    const size_t bytes = c->form == ZK_W4A || c->form == ZK_W4L ? (k + 1) / 2 : k;
    const size_t size = zk_type_size(p->type);
    const size_t groups = c->group < c->k ? (k + (size_t)c->group - 1) / (size_t)c->group : 1;
    memcpy(to, c->q + (size_t)i * bytes, bytes);
    memcpy(image + ((const uint8_t *)p->scales - p->codes) + (size_t)row * (size_t)p->groups * size,
           (const uint8_t *)c->scale + (size_t)i * groups * size, groups * size);
    if (p->zeros == NULL)
        return;
    uint8_t *zeros = image + (p->zeros - p->codes) + (size_t)row * (size_t)p->groups;
    if (c->zero)
        memcpy(zeros, c->zero + (size_t)i * groups, groups);
    else
        memset(zeros, c->form == ZK_W4A ? 8 : 128, groups);
}

/* The table of W4L as its products take it, and as it is. */
static void pack_table(float *to, const float *table, enum zk_act_kind kind)
{
    for (int i = 0; i < 16; i++) {
        to[i] = kind == ZK_ACT_F16    ? zk_f16_to_f32(zk_f32_to_f16(table[i]))
                : kind == ZK_ACT_BF16 ? zk_bf16_to_f32(zk_f32_to_bf16(table[i]))
                                      : table[i];
        to[16 + i] = table[i];
    }
}

static int plain_pack(struct zkc_dev *d, struct zk_mat *m, const struct zk_canon *parts,
                      int n_parts, struct zc_diag *dg)
{
    struct plain p;
    void *image;
    const size_t bytes = plain_place(&p, &m->d, m->data);
    int r;
    if ((r = zc_try_calloc(&image, bytes, 1, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory to pack a matrix of %zu bytes", bytes);
    for (int row = 0; row < m->d.n; row++) {
        int i;
        const struct zk_canon *c = zk_parts_row(parts, row, &i);
        pack_row((uint8_t *)image, &p, c, i, row);
    }
    if (p.form == ZK_W4L)
        pack_table((float *)(void *)((uint8_t *)image + ((const uint8_t *)p.table - p.codes)),
                   parts[0].table, zkc_act_kind(&d->dev, &m->d));
    if ((r = zkc_put(d, m->data, image, bytes)) < 0)
        zc_diag(dg, r, "a matrix could not be copied to the device");
    zc_free(image);
    return r;
}

/* Element j of a row of codes, without its scale; value(code) is that of W8F. The same text for
 * host and device. */
#define PLAIN_CODE(p, codes, j)                              \
    ((p)->form == ZK_W8A || (p)->form == ZK_W8F ? (codes)[j] \
                                                : (codes)[(j) / 2] >> ((j) % 2 * 4) & 15)
#define PLAIN_NUMBER(p, table, q, g, value)                                            \
    ((p)->form == ZK_W8F   ? value((uint8_t)(q))                                       \
     : (p)->form == ZK_W4L ? (table)[q]                                                \
                           : (float)((q) - ((p)->zeros            ? (int)(p)->zeros[g] \
                                            : (p)->form == ZK_W4A ? 8                  \
                                                                  : 128)))

static int plain_unpack_row(struct zkc_dev *d, const struct zk_mat *m, int row, float *w)
{
    struct plain p;
    void *image;
    const size_t bytes = plain_place(&p, &m->d, m->data);
    int r = zc_try_malloc(&image, bytes, 1, SIZE_MAX);
    if (r < 0 || (r = zkc_get(d, image, m->data, bytes)) < 0) {
        if (r != ZC_ENOMEM)
            zc_free(image);
        return r;
    }
    plain_place(&p, &m->d, image);
    const uint8_t *codes = p.codes + (size_t)row * p.row_bytes;
    for (int j = 0; j < p.k; j++) {
        if (!zk_form_is_coded(p.form)) {
            w[j] = zk_load(codes, p.type, (size_t)j);
            continue;
        }
        size_t g = (size_t)row * (size_t)p.groups + (size_t)(j / p.group);
        int q = PLAIN_CODE(&p, codes, j);
        w[j] = PLAIN_NUMBER(&p, p.table + 16, q, g, zk_f8_to_f32) * zk_load(p.scales, p.type, g);
    }
    zc_free(image);
    return ZC_OK;
}

/* ---- products ------------------------------------------------------------------------------ */

/* A number of e4m3: its bits at the place of fp16's are a 256th. */
ZKC_DEV float f8_value(uint8_t c)
{
    const uint16_t h = (uint16_t)((c & 0x80) << 8 | (c & 0x7f) << 7);
    return zkc_load(&h, ZK_F16, 0) * 256.0f;
}

/* acc[r] = this lane's part of the row's product with each of n rows of x: columns lane, lane + 32
 * and so on, in order. */
template <int KIND>
ZKC_DEV void plain_lane(float (&acc)[MAX_ROWS], const struct plain *p, int row, const void *x,
                        int xp, int r0, int n)
{
    const int lane = threadIdx.x % 32;
    const uint8_t *codes = p->codes + (size_t)row * p->row_bytes;
    for (int r = 0; r < MAX_ROWS; r++)
        acc[r] = 0;
    for (int j = lane; j < p->k; j += 32) {
        float w;
        if (p->form <= ZK_W8F) {
            const size_t g = (size_t)row * p->groups + j / p->group;
            const int q = PLAIN_CODE(p, codes, j);
            w = PLAIN_NUMBER(p, p->table, q, g, f8_value) * zkc_load(p->scales, p->type, g);
        } else {
            w = zkc_load(codes, p->type, j);
        }
#pragma unroll
        for (int r = 0; r < MAX_ROWS; r++)
            if (r < n)
                acc[r] += w * zkc_act_load<KIND>(x, (size_t)(r0 + r) * xp + j);
    }
}

/* The bias and the sum over the lanes; every lane has it. */
ZKC_DEV float plain_total(float acc, const float *bias, int i)
{
    return zkc_warp_sum(acc) + (bias ? bias[i] : 0.0f);
}

/* y[r][i] (+)= W[i] . x[r] + bias[i]. Grid: ceil(n / 4) x ceil(rows / 8); a warp is one output
 * feature, eight rows. Sums of one lane hold k / 32 products; float throughout. */
template <int KIND>
__global__ void __launch_bounds__(THREADS)
    plain_kernel(float *y, int ldy, const void *x, int xp, struct plain p, const float *bias,
                 int rows, bool add)
{
    const int i = blockIdx.x * WARPS + threadIdx.x / 32, r0 = blockIdx.y * MAX_ROWS;
    const int n = rows - r0 < MAX_ROWS ? rows - r0 : MAX_ROWS;
    float acc[MAX_ROWS];
    if (i >= p.n)
        return;
    plain_lane<KIND>(acc, &p, i, x, xp, r0, n);
#pragma unroll
    for (int r = 0; r < MAX_ROWS; r++)
        if (r < n) {
            const float v = plain_total(acc[r], bias, i);
            float *to = y + (size_t)(r0 + r) * ldy + i;
            if (threadIdx.x % 32 == 0)
                *to = add ? *to + v : v;
        }
}

/* y[r][i] = act(silu(gate) up) for i < kp of y. Grid as above over kp outputs; inverse: where
 * output feature i goes is the j with perm[j] = i, so the warp of j computes feature perm[j]. */
template <int KIND, int OUT>
__global__ void __launch_bounds__(THREADS)
    plain_swiglu_kernel(void *y, int yp, const void *x, int xp, struct plain p, const float *bias,
                        int rows, const int32_t *perm, uint32_t *status)
{
    const int j = blockIdx.x * WARPS + threadIdx.x / 32, r0 = blockIdx.y * MAX_ROWS;
    const int n = rows - r0 < MAX_ROWS ? rows - r0 : MAX_ROWS, F = p.n / 2;
    const bool is_there = j < F;
    float gate[MAX_ROWS] = {}, up[MAX_ROWS] = {};
    const int i = !is_there ? 0 : perm ? perm[j] : j;
    if (j >= yp)
        return;
    if (is_there) {
        plain_lane<KIND>(gate, &p, i, x, xp, r0, n);
        plain_lane<KIND>(up, &p, F + i, x, xp, r0, n);
    }
#pragma unroll
    for (int r = 0; r < MAX_ROWS; r++)
        if (r < n) {
            const float g = plain_total(gate[r], is_there ? bias : NULL, i);
            const float u = plain_total(up[r], is_there ? bias : NULL, F + i);
            if (threadIdx.x % 32 == 0)
                zkc_act_store<OUT>(y, (size_t)(r0 + r) * yp + j, is_there ? zkc_silu(g) * u : 0.0f,
                                   status);
        }
}

static dim3 grid_of(int n, int rows)
{
    return dim3((unsigned)((n + WARPS - 1) / WARPS), (unsigned)((rows + MAX_ROWS - 1) / MAX_ROWS));
}

static int plain_matmul(struct zkc_dev *d, float *y, int ldy, const struct zk_act *x,
                        const struct zk_mat *w, const float *bias, int rows, bool add)
{
    struct plain p;
    cudaError_t e;
    plain_place(&p, &w->d, w->data);
    ZKC_BY_KIND(x->kind,
                e = zkc_launch(plain_kernel<KIND>, grid_of(p.n, rows), dim3(THREADS), 0, d->stream,
                               y, ldy, x->data, zkc_kp(x->k), p, bias, rows, add));
    return zkc_check(d, e);
}

template <int OUT>
static cudaError_t launch_swiglu(struct zkc_dev *d, struct zk_act *y, const struct zk_act *x,
                                 const struct plain *p, const float *bias, int rows,
                                 const int32_t *perm)
{
    cudaError_t e;
    const int yp = zkc_kp(y->k);
    ZKC_BY_KIND(x->kind, e = zkc_launch((plain_swiglu_kernel<KIND, OUT>), grid_of(yp, rows),
                                        dim3(THREADS), 0, d->stream, y->data, yp, x->data,
                                        zkc_kp(x->k), *p, bias, rows, perm, d->status));
    return e;
}

static int plain_swiglu(struct zkc_dev *d, struct zk_act *y, const struct zk_act *x,
                        const struct zk_mat *w, const float *bias, int rows, const int32_t *perm)
{
    struct plain p;
    cudaError_t e;
    plain_place(&p, &w->d, w->data);
    ZKC_BY_KIND(y->kind, e = launch_swiglu<KIND>(d, y, x, &p, bias, rows, perm));
    return zkc_check(d, e);
}

const struct zkc_form zkc_plain = {plain_bytes, plain_pack, plain_unpack_row, plain_matmul,
                                   plain_swiglu};
