/* SPDX-License-Identifier: MIT */
/* Matrices: which kernels serve a description, what is checked before they do, and the activation
 * order and its inverse, which lie behind the packed matrix whatever its form. */
#include "kernels/cuda/zkc_mm_call.cuh"

extern "C" {
#include "common/zc_mem.h"
}

const struct zkc_form *zkc_form_of(const struct zkc_dev *d, const struct zk_mat_desc *desc)
{
    struct zkc_mm_layout lo;
    if (zkc_act_kind(&d->dev, desc) != ZK_ACT_F32 && zkc_mm_layout_init(&lo, desc) == ZC_OK)
        return &zkc_mm;
    return &zkc_plain;
}

static size_t perm_at(const struct zk_dev *dev, const struct zk_mat_desc *desc)
{
    return zkc_form_of((const struct zkc_dev *)dev, desc)->bytes(desc);
}

size_t zkc_mat_bytes(const struct zk_dev *dev, const struct zk_mat_desc *desc)
{
    struct zk_layout lo; /* its own layout is not ours, but it checks the description */
    if (zk_layout_init(&lo, desc, NULL) < 0)
        return 0;
    size_t perm = desc->has_perm ? 2 * (size_t)desc->k * sizeof(int32_t) : 0;
    return perm_at(dev, desc) + (perm + 255) / 256 * 256;
}

enum zk_act_kind zkc_act_kind(const struct zk_dev *dev, const struct zk_mat_desc *desc)
{
    if (dev->exact || desc->form == ZK_W32 || desc->type == ZK_F32)
        return ZK_ACT_F32;
    return desc->type == ZK_F16 ? ZK_ACT_F16 : ZK_ACT_BF16;
}

/* perm[k], then its inverse: for who has output i and looks for the j with perm[j] = i. */
static int put_perm(struct zkc_dev *d, int32_t *dst, const int32_t *perm, int k)
{
    void *p;
    int r = zc_try_malloc(&p, (size_t)k, sizeof(int32_t), SIZE_MAX);
    if (r < 0)
        return r;
    int32_t *inverse = (int32_t *)p;
    for (int j = 0; j < k; j++)
        inverse[perm[j]] = j;
    if ((r = zkc_put(d, dst, perm, (size_t)k * sizeof *dst)) == ZC_OK)
        r = zkc_put(d, dst + k, inverse, (size_t)k * sizeof *dst);
    zc_free(p);
    return r;
}

int zkc_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts, int n_parts,
                 struct zc_diag *dg)
{
    struct zkc_dev *d = zkc_of(dev);
    struct zk_layout lo;
    int r;

    if ((r = zk_layout_init(&lo, &m->d, dg)) < 0 ||
        (r = zk_parts_check(&m->d, parts, n_parts, dg)) < 0)
        return r;
    if (m->data == NULL || m->bytes < zkc_mat_bytes(dev, &m->d))
        return zc_diag(dg, ZC_EINVAL, "packed matrix has room for %zu bytes and needs %zu",
                       m->bytes, zkc_mat_bytes(dev, &m->d));
    if ((r = zkc_form_of(d, &m->d)->pack(d, m, parts, n_parts, dg)) < 0)
        return r;
    m->act = zkc_act_kind(dev, &m->d);
    m->perm = NULL;
    if (!m->d.has_perm)
        return ZC_OK;
    m->perm = (int32_t *)(void *)((char *)m->data + perm_at(dev, &m->d));
    r = put_perm(d, m->perm, parts[0].perm, m->d.k);
    return r < 0 ? zc_diag(dg, r, "an activation order could not be copied to the device") : r;
}

int zkc_mat_unpack_row(const struct zk_dev *dev, const struct zk_mat *m, int row, float *w)
{
    struct zkc_dev *d = zkc_of((struct zk_dev *)(uintptr_t)dev);
    const int k = m->d.k;
    void *p;
    int r;

    if (row < 0 || row >= m->d.n)
        return ZC_EINVAL;
    if (m->perm == NULL)
        return zkc_form_of(d, &m->d)->unpack_row(d, m, row, w);
    if ((r = zc_try_malloc(&p, (size_t)k, sizeof(float) + sizeof(int32_t), SIZE_MAX)) < 0)
        return r;
    float *packed = (float *)p;
    int32_t *perm = (int32_t *)(packed + k);
    if ((r = zkc_get(d, perm, m->perm, (size_t)k * sizeof *perm)) == ZC_OK &&
        (r = zkc_form_of(d, &m->d)->unpack_row(d, m, row, packed)) == ZC_OK)
        for (int j = 0; j < k; j++)
            w[perm[j]] = packed[j];
    zc_free(p);
    return r;
}

int zkc_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
               const struct zk_mat *w, const float *bias, int rows, bool add)
{
    struct zkc_dev *d = zkc_of(dev);
    if (x->k != w->d.k || x->kind != w->act || x->rows != rows || rows < 1 ||
        w->d.join == ZK_JOIN_PAIRS)
        return ZC_EINVAL;
    return zkc_form_of(d, &w->d)->matmul(d, y, ldy, x, w, bias, rows, add);
}

int zkc_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                      const struct zk_mat *w, const float *bias, int rows, const int32_t *perm)
{
    struct zkc_dev *d = zkc_of(dev);
    if (x->k != w->d.k || x->kind != w->act || x->rows != rows || rows < 1 ||
        w->d.join != ZK_JOIN_PAIRS || y->k != w->d.n / 2 || y->kind == ZK_ACT_Q8)
        return ZC_EINVAL;
    y->rows = rows;
    return zkc_form_of(d, &w->d)->swiglu(d, y, x, w, bias, rows, perm);
}
