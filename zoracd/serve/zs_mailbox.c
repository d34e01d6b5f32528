/* SPDX-License-Identifier: MIT */
/* Single-producer, single-consumer ring with an eventfd.
 *
 * Why no wake-up is lost: the producer publishes tail and then swaps `rung` to true; the consumer
 * swaps it to false and then reads tail. Both swaps are sequentially consistent read-modify-writes
 * of one variable. If the producer finds true, its swap comes before the consumer's next one, which
 * therefore reads tail after it was published; if it finds false, it writes the eventfd. */
#include "zoracd/serve/zs_mailbox.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

struct zs_mailbox {
    size_t mask, item_size;
    int fd;
    /* Each side's counter on its own cache line: they are written at the pace of the steps. */
    _Alignas(64) _Atomic size_t head; /* written by the consumer */
    _Alignas(64) _Atomic size_t tail; /* written by the producer */
    atomic_bool rung;
    _Alignas(64) unsigned char items[];
};

int zs_mailbox_new(struct zs_mailbox **ret_mb, size_t n_items, size_t item_size, struct zc_diag *dg)
{
    ZC_BUG_ON(n_items == 0 || (n_items & (n_items - 1)) != 0);
    size_t bytes = (sizeof(struct zs_mailbox) + n_items * item_size + 63) & ~(size_t)63;
    struct zs_mailbox *mb = aligned_alloc(64, bytes);
    if (!mb)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a mailbox");
    memset(mb, 0, sizeof *mb);
    mb->mask = n_items - 1;
    mb->item_size = item_size;
    mb->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mb->fd < 0) {
        int r = zc_diag_sys(dg, "no eventfd");
        zc_free(mb);
        return r;
    }
    *ret_mb = mb;
    return ZC_OK;
}

void zs_mailbox_free(struct zs_mailbox *mb)
{
    if (!mb)
        return;
    close(mb->fd);
    zc_free(mb);
}

int zs_mailbox_push(struct zs_mailbox *mb, const void *item)
{
    size_t tail = atomic_load_explicit(&mb->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&mb->head, memory_order_acquire);

    if (tail - head > mb->mask)
        return ZC_EBUSY;
    memcpy(mb->items + (tail & mb->mask) * mb->item_size, item, mb->item_size);
    atomic_store_explicit(&mb->tail, tail + 1, memory_order_release);
    return ZC_OK;
}

void zs_mailbox_ring(struct zs_mailbox *mb)
{
    uint64_t one = 1;

    if (atomic_exchange(&mb->rung, true))
        return;
    ssize_t w = write(mb->fd, &one, sizeof one);
    (void)w; /* only a full counter fails, and then the bell rings */
}

int zs_mailbox_fd(const struct zs_mailbox *mb)
{
    return mb->fd;
}

void zs_mailbox_quiet(struct zs_mailbox *mb)
{
    uint64_t n;

    ssize_t r = read(mb->fd, &n, sizeof n);
    (void)r; /* nothing to read: it was not ringing */
    atomic_exchange(&mb->rung, false);
}

int zs_mailbox_pop(struct zs_mailbox *mb, void *item)
{
    size_t head = atomic_load_explicit(&mb->head, memory_order_relaxed);
    size_t tail = atomic_load_explicit(&mb->tail, memory_order_acquire);

    if (head == tail)
        return 0;
    memcpy(item, mb->items + (head & mb->mask) * mb->item_size, mb->item_size);
    atomic_store_explicit(&mb->head, head + 1, memory_order_release);
    return 1;
}

void zs_mailbox_wait(struct zs_mailbox *mb, int timeout_ms)
{
    struct pollfd p = {.fd = mb->fd, .events = POLLIN};

    poll(&p, 1, timeout_ms);
    zs_mailbox_quiet(mb);
}
