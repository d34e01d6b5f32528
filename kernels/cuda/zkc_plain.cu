/* SPDX-License-Identifier: MIT */
/* Matrices of every form, type and shape, the simple way: a warp is one output feature. It serves
 * what the fast kernels do not take (fp32, odd groups, exact arithmetic), and is what they are
 * compared with on a device.
 *
 * Layout, everything row-major and columns kp = k rounded up to 32 apart:
 *   W4A  codes [n][kp/2], column 2i low; scales [n][G]; zeros [n][G] bytes if there are any
 *   W8A  codes [n][kp]; scales; zeros
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
    enum zk_form form;
    enum zk_type type;
    int n, k, kp, group, groups;
    size_t row_bytes; /* of codes or weights */
};

static size_t round_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

static bool is_affine(enum zk_form form)
{
    return form == ZK_W4A || form == ZK_W8A;
}

/* The matrix at data (NULL: sizes only); returns its bytes. */
static size_t plain_place(struct plain *p, const struct zk_mat_desc *d, const void *data)
{
    const uint8_t *base = static_cast<const uint8_t *>(data);
    *p = plain{};
    p->form = d->form, p->type = d->type, p->n = d->n, p->k = d->k;
    p->kp = (int)round_up((size_t)d->k, 32);
    p->row_bytes = d->form == ZK_W4A   ? (size_t)p->kp / 2
                   : d->form == ZK_W8A ? (size_t)p->kp
                                       : (size_t)p->kp * zk_type_size(d->type);
    size_t end = round_up((size_t)d->n * p->row_bytes, 256);
    p->codes = base;
    if (!is_affine(d->form))
        return end;
    p->group = d->group < d->k ? d->group : p->kp;
    p->groups = (p->kp + p->group - 1) / p->group;
    p->scales = base + end;
    end += round_up((size_t)d->n * (size_t)p->groups * zk_type_size(d->type), 256);
    if (d->has_zero) {
        p->zeros = base + end;
        end += round_up((size_t)d->n * (size_t)p->groups, 256);
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
    if (!is_affine(c->form)) {
        size_t size = zk_type_size(c->type);
        memcpy(to, (const uint8_t *)c->w + (size_t)i * k * size, k * size);
        return;
    }
    const size_t bytes = c->form == ZK_W4A ? (k + 1) / 2 : k, size = zk_type_size(c->type);
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
    if ((r = zkc_put(d, m->data, image, bytes)) < 0)
        zc_diag(dg, r, "a matrix could not be copied to the device");
    zc_free(image);
    return r;
}

/* Element j of a row whose codes, scales and zeros are given; the same text for host and device. */
#define PLAIN_WEIGHT(q, zero, scale) ((float)((q) - (zero)) * (scale))

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
        if (!is_affine(p.form)) {
            w[j] = zk_load(codes, p.type, (size_t)j);
            continue;
        }
        size_t g = (size_t)row * (size_t)p.groups + (size_t)(j / p.group);
        int q = p.form == ZK_W8A ? codes[j] : codes[j / 2] >> (j % 2 * 4) & 15;
        int zero = p.zeros ? p.zeros[g] : p.form == ZK_W4A ? 8 : 128;
        w[j] = PLAIN_WEIGHT(q, zero, zk_load(p.scales, p.type, g));
    }
    zc_free(image);
    return ZC_OK;
}

/* ---- products ------------------------------------------------------------------------------ */

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
        if (p->form == ZK_W4A || p->form == ZK_W8A) {
            const size_t g = (size_t)row * p->groups + j / p->group;
            const int q = p->form == ZK_W8A ? codes[j] : codes[j / 2] >> (j % 2 * 4) & 15;
            const int zero = p->zeros ? p->zeros[g] : p->form == ZK_W4A ? 8 : 128;
            w = PLAIN_WEIGHT(q, zero, zkc_load(p->scales, p->type, g));
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
