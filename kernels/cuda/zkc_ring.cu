/* SPDX-License-Identifier: MIT */
/* The way of weights to the device: a ring of pinned pieces, each with one of equal size on the
 * device (a part of the scratch memory, which nothing else uses while matrices are packed). A
 * thread fills one while the others' are on their way or are being packed there. It is made when
 * the first bytes come, and goes when the first pass begins. Vectors and raw tensors use its host
 * side alone. */
#include "kernels/cuda/zkc.cuh"

extern "C" {
#include "common/zc_mem.h"
}

#define SLOTS    4
#define SLOT_MAX ((size_t)8 << 20)

struct zkc_ring {
    uint8_t *host; /* pinned, SLOTS pieces */
    size_t slot_bytes;
    struct zkc_slot slot[SLOTS];
    bool is_taken[SLOTS], is_used[SLOTS]; /* used: its event has been recorded */
    int next;
};

static int ring_new(struct zkc_dev *d, struct zc_diag *dg)
{
    void *p;
    if (zc_try_calloc(&p, 1, sizeof(struct zkc_ring), SIZE_MAX) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory to load weights through");
    struct zkc_ring *r = (struct zkc_ring *)p;
    const size_t share = d->work_bytes / SLOTS / 256 * 256;
    r->slot_bytes = share < SLOT_MAX ? share : SLOT_MAX;
    d->ring = r;
    cudaError_t e = cudaHostAlloc((void **)&r->host, SLOTS * r->slot_bytes, cudaHostAllocPortable);
    for (int i = 0; i < SLOTS && e == cudaSuccess; i++) {
        r->slot[i].host = r->host + (size_t)i * r->slot_bytes;
        r->slot[i].device = (uint8_t *)d->work + (size_t)i * r->slot_bytes;
        e = cudaEventCreateWithFlags(&r->slot[i].done, cudaEventDisableTiming);
    }
    if (e == cudaSuccess)
        return ZC_OK;
    cudaGetLastError();
    zkc_ring_close(d);
    return zc_diag(dg, e == cudaErrorMemoryAllocation ? ZC_ENOMEM : zkc_check(d, e),
                   "no pinned memory to load weights through: %s", cudaGetErrorString(e));
}

void zkc_ring_close(struct zkc_dev *d)
{
    struct zkc_ring *r = d->ring;
    if (!r)
        return;
    for (int i = 0; i < SLOTS; i++)
        if (r->slot[i].done) {
            if (r->is_used[i])
                cudaEventSynchronize(r->slot[i].done);
            cudaEventDestroy(r->slot[i].done);
        }
    if (r->host)
        cudaFreeHost(r->host);
    zc_free(r);
    d->ring = NULL;
}

/* The slot, used once more, is nobody's again. */
static void let_go(struct zkc_dev *d, ptrdiff_t i)
{
    pthread_mutex_lock(&d->pack_lock);
    d->ring->is_used[i] = true;
    d->ring->is_taken[i] = false;
    pthread_cond_broadcast(&d->pack_free);
    pthread_mutex_unlock(&d->pack_lock);
}

int zkc_ring_take(struct zkc_dev *d, struct zkc_slot **ret_slot, size_t *ret_bytes,
                  struct zc_diag *dg)
{
    int r = ZC_OK, i = 0;
    pthread_mutex_lock(&d->pack_lock);
    if (!d->ring)
        r = ring_new(d, dg);
    if (r == ZC_OK) {
        i = d->ring->next;
        d->ring->next = (i + 1) % SLOTS;
        while (d->ring->is_taken[i])
            pthread_cond_wait(&d->pack_free, &d->pack_lock);
        d->ring->is_taken[i] = true;
    }
    pthread_mutex_unlock(&d->pack_lock);
    if (r < 0)
        return r;
    struct zkc_slot *slot = &d->ring->slot[i];
    if (d->ring->is_used[i] && (r = zkc_check(d, cudaEventSynchronize(slot->done))) < 0) {
        let_go(d, i); /* a device that fails must not leave others waiting for it */
        return r;
    }
    *ret_slot = slot;
    *ret_bytes = d->ring->slot_bytes;
    return ZC_OK;
}

int zkc_ring_put(struct zkc_dev *d, void *dst, const void *src, size_t bytes)
{
    int r = ZC_OK;
    for (size_t at = 0, n; at < bytes && r == ZC_OK; at += n) {
        struct zkc_slot *slot;
        if ((r = zkc_ring_take(d, &slot, &n, NULL)) < 0)
            return r;
        n = n < bytes - at ? n : bytes - at;
        memcpy(slot->host, (const char *)src + at, n);
        r = zkc_check(
            d, cudaMemcpyAsync((char *)dst + at, slot->host, n, cudaMemcpyHostToDevice, d->stream));
        const int given = zkc_ring_give(d, slot);
        r = r < 0 ? r : given;
    }
    return r;
}

int zkc_ring_give(struct zkc_dev *d, struct zkc_slot *slot)
{
    const int r = zkc_check(d, cudaEventRecord(slot->done, d->stream));
    let_go(d, slot - d->ring->slot);
    return r;
}
