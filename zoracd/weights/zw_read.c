/* SPDX-License-Identifier: MIT */
/* Reading of tensors in pieces; see zw_read.h. */
#include "config.h"

#include "zoracd/weights/zw_read.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "kernels/zk.h"

#define HUGE_FROM (4u << 20) /* bytes of an allocation that is worth huge pages */

/* ---- only numbers -------------------------------------------------------------------------- */

#define BLOCK 64 /* values whose largest magnitude is found without a branch */

/* Whether 16-bit floats are all below the magnitude that is infinity's. Magnitudes order as
 * integers, infinity and NaN above all numbers. */
static bool is_below16(const char *p, int n, int16_t infinity)
{
    int16_t v[BLOCK] = {0}, max = 0;

    memcpy(v, p, (size_t)n * sizeof *v);
    for (int i = 0; i < BLOCK; i++) {
        int16_t m = v[i] & 0x7fff;
        max = m > max ? m : max;
    }
    return max < infinity;
}

static bool is_below32(const char *p, int n)
{
    int32_t v[BLOCK] = {0}, max = 0;

    memcpy(v, p, (size_t)n * sizeof *v);
    for (int i = 0; i < BLOCK; i++) {
        int32_t m = v[i] & 0x7fffffff;
        max = m > max ? m : max;
    }
    return max < 0x7f800000;
}

/* E4M3 has no infinity. */
static bool is_below8(const char *p, int n)
{
    uint8_t v[BLOCK] = {0}, max = 0;

    memcpy(v, p, (size_t)n);
    for (int i = 0; i < BLOCK; i++) {
        uint8_t m = v[i] & 0x7f;
        max = m > max ? m : max;
    }
    return max < 0x7f;
}

static bool is_finite_run(const char *p, int n, enum zw_dtype dtype)
{
    if (dtype == ZW_F8_E4M3)
        return is_below8(p, n);
    return dtype == ZW_F32 ? is_below32(p, n) : is_below16(p, n, dtype == ZW_F16 ? 0x7c00 : 0x7f80);
}

/* The len bytes at p, which are the tensor's from off on, hold no infinity and no NaN, where the
 * tensor is of floats. A model with one answers rubbish, or nothing. */
static int check_finite(const struct zw_tensor *t, uint64_t off, const char *p, size_t len,
                        struct zc_diag *dg)
{
    const size_t size = t->dtype == ZW_F32 ? 4 : t->dtype == ZW_F8_E4M3 ? 1 : 2, n = len / size;

    if (t->dtype != ZW_F32 && t->dtype != ZW_F16 && t->dtype != ZW_BF16 && t->dtype != ZW_F8_E4M3)
        return ZC_OK;
    for (size_t i = 0; i < n; i += BLOCK) {
        const int run = n - i < BLOCK ? (int)(n - i) : BLOCK;
        int bad = 0;
        if (is_finite_run(p + i * size, run, t->dtype))
            continue;
        while (is_finite_run(p + (i + (size_t)bad) * size, 1, t->dtype))
            bad++;
        const uint64_t at = off / size + i + (uint64_t)bad;
        const uint64_t columns = t->rank > 1 ? t->shape[t->rank - 1] : 1;
        if (t->rank > 1)
            return zc_diag(dg, ZC_EFORMAT,
                           "tensor %s, row %llu, column %llu: infinite or not a number", t->name,
                           (unsigned long long)(at / columns), (unsigned long long)(at % columns));
        return zc_diag(dg, ZC_EFORMAT, "tensor %s, element %llu: infinite or not a number", t->name,
                       (unsigned long long)at);
    }
    return ZC_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

int zw_read_range(const struct zw_reader *rd, const struct zw_tensor *t, uint64_t off, void *dst,
                  uint64_t len, struct zc_diag *dg)
{
    char *p = dst;
    int r;

    while (len > 0) {
        size_t piece = len < ZW_READ_PIECE ? len : ZW_READ_PIECE;
        if (piece < t->bytes - off)
            zw_store_advise(rd->store, t, off + piece, ZW_READ_PIECE);
        if ((r = zw_store_read(rd->store, t, off, p, piece, dg)) < 0)
            return r;
        if ((r = check_finite(t, off, p, piece, dg)) < 0)
            return zc_diag_prefix(dg, r, "%s", zw_store_file_name(rd->store, t->file));
        if (rd->step && (r = rd->step(piece, rd->arg, dg)) < 0)
            return r;
        p += piece;
        off += piece;
        len -= piece;
    }
    return ZC_OK;
}

int zw_read_alloc(void **ret_p, size_t n, size_t size, const char *what, struct zc_diag *dg)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    int r = zc_try_malloc(ret_p, n, size, SIZE_MAX);

    if (r < 0)
        return zc_diag(dg, r, "no memory for %zu x %zu bytes of %s", n, size, what);
    if (n * size >= HUGE_FROM) {
        /* Half the time of loading is else spent on page faults. Only advice: failing is fine. */
        const uintptr_t begin = ((uintptr_t)*ret_p + page - 1) / page * page;
        madvise((void *)begin, (uintptr_t)*ret_p + n * size - begin, MADV_HUGEPAGE);
    }
    return ZC_OK;
}

int zw_read_all(const struct zw_reader *rd, const struct zw_tensor *t, void **ret_p,
                struct zc_diag *dg)
{
    void *p = NULL;
    int r;

    if ((r = zw_read_alloc(&p, t->bytes, 1, t->name, dg)) < 0)
        return r;
    if ((r = zw_read_range(rd, t, 0, p, t->bytes, dg)) < 0) {
        zc_free(p);
        return r;
    }
    *ret_p = p;
    return ZC_OK;
}

/* n elements of a 16-bit or 32-bit floating type. */
static void to_floats(float *dst, const void *src, enum zw_dtype dtype, uint64_t n)
{
    const uint16_t *h = src;

    if (dtype == ZW_F32)
        memcpy(dst, src, n * sizeof *dst);
    else if (dtype == ZW_F16)
        for (uint64_t i = 0; i < n; i++)
            dst[i] = zk_f16_to_f32(h[i]);
    else
        for (uint64_t i = 0; i < n; i++)
            dst[i] = zk_bf16_to_f32(h[i]);
}

int zw_read_vector(float *dst, const struct zw_store *s, const char *name, uint64_t n,
                   struct zc_diag *dg)
{
    const struct zw_tensor *t = zw_store_find(s, name);
    const struct zw_reader rd = {.store = s};
    void *raw;
    int r;

    if (!t)
        return zc_diag(dg, ZC_ENOTFOUND, "tensor %s is missing", name);
    if (t->dtype != ZW_F32 && t->dtype != ZW_F16 && t->dtype != ZW_BF16)
        return zc_diag(dg, ZC_EFORMAT, "tensor %s is %s, not F32, F16 or BF16", name,
                       t->dtype_name);
    if (t->rank != 1 || t->shape[0] != n)
        return zc_diag(dg, ZC_EFORMAT, "tensor %s is no vector of %llu elements", name,
                       (unsigned long long)n);
    if ((r = zw_read_all(&rd, t, &raw, dg)) < 0)
        return r;
    to_floats(dst, raw, t->dtype, n);
    zc_free(raw);
    return ZC_OK;
}
