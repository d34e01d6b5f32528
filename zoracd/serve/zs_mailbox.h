/* SPDX-License-Identifier: MIT */
/* The only crossing between threads: a bounded ring of fixed-size items with one producer and one
 * consumer, and an eventfd as its bell. A push does not ring: the producer rings once when its turn
 * ends, and a bell that is still ringing is not rung again. */
#ifndef ZORACD_SERVE_ZS_MAILBOX_H
#define ZORACD_SERVE_ZS_MAILBOX_H

#include <stddef.h>

struct zc_diag;
struct zs_mailbox;

/* Room for n_items (a power of two) of item_size bytes, copied in and out. */
int zs_mailbox_new(struct zs_mailbox **ret_mb, size_t n_items, size_t item_size,
                   struct zc_diag *dg);
/* When neither side uses it any more; what is still in it is dropped. */
void zs_mailbox_free(struct zs_mailbox *mb);

/* Producer. ZC_EBUSY: full. */
int zs_mailbox_push(struct zs_mailbox *mb, const void *item);
/* Any thread: wakes the consumer, also when nothing was pushed but something it looks at changed.
 */
void zs_mailbox_ring(struct zs_mailbox *mb);

/* Consumer. The descriptor is readable while the bell rings. */
int zs_mailbox_fd(const struct zs_mailbox *mb);
/* Stops the bell. Always before the ring is drained, never after: what is pushed in between rings
 * again. */
void zs_mailbox_quiet(struct zs_mailbox *mb);
/* 1 and the oldest item, or 0. */
int zs_mailbox_pop(struct zs_mailbox *mb, void *item);
/* Sleeps until the bell rings or timeout_ms have passed (-1: for ever), then quiets it. */
void zs_mailbox_wait(struct zs_mailbox *mb, int timeout_ms);

#endif
