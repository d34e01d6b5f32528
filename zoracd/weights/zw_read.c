/* SPDX-License-Identifier: MIT */
/* Reading of tensors in pieces; see zw_read.h. */
#include "config.h"

#include "zoracd/weights/zw_read.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "kernels/zk.h"

#define HUGE_FROM (4u << 20) /* bytes of an allocation that is worth huge pages */

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
