/* SPDX-License-Identifier: MIT */
/* Pages of keys and values as numbers: who holds which, which are promised, which hold what. The
 * bytes are elsewhere (ze_model places them); here is only the book-keeping.
 *
 * A page is free (its content is nothing), held (refs > 0), or idle: unheld, findable by what it
 * holds until it is needed. Full pages are findable while they are held, too, and shared. What a
 * page holds is said by the chain: its 16 tokens, after the page before it, under a root (a user's
 * number). The last page of a chain that ended, not quite full, is findable as a tail: it is handed
 * to the first chain that goes on from it, so that a conversation's next turn computes only what is
 * new. A promise is a page that a sequence may still take; taking never fails while promised <=
 * free + idle, which admission keeps true. Engine thread. */
#ifndef ZORACD_ENGINE_ZE_KV_H
#define ZORACD_ENGINE_ZE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/zk.h"

struct zc_diag;
struct ze_kv;

#define ZE_NO_PAGE (-1)

int ze_kv_new(struct ze_kv **ret_kv, int n_pages);
void ze_kv_free(struct ze_kv *kv);
/* Host memory of ze_kv_new. */
uint64_t ze_kv_bytes(int n_pages);

/* The pages that a sequence holds, and how many more it was promised. */
struct ze_chain {
    uint64_t root;
    int32_t *pages; /* (cap) the first n are held */
    int n, cap;
    int n_known;     /* full pages that are in the table, always the first ones */
    int promised;    /* pages beyond n */
    int n_found;     /* tokens that admission found computed */
    bool is_private; /* what it holds is not what its ids say: never made findable */
};

int ze_kv_chain_init(struct ze_kv *kv, struct ze_chain *c, uint64_t root, int cap);
/* Gives everything back: last page first, so that a chain is forgotten from its end. */
void ze_kv_chain_release(struct ze_kv *kv, struct ze_chain *c);

/* Takes hold of the known pages that hold the longest prefix of the n_ids ids (how much: n_found),
 * and promises so many more that the chain can reach n_pages. An empty chain only. ZC_EBUSY: not
 * enough pages now, nothing is changed; ZC_ELIMIT: n_pages is over all there are, or over the
 * chain's cap. */
int ze_kv_admit(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n_ids, int n_pages);
/* Promises more, so that the chain can reach n_pages. Errors as ze_kv_admit. */
int ze_kv_promise(struct ze_kv *kv, struct ze_chain *c, int n_pages);
/* Turns promises into held pages until the chain holds n_pages; they must have been promised. Takes
 * free pages first, then the idle one that was left longest ago. */
void ze_kv_take(struct ze_kv *kv, struct ze_chain *c, int n_pages);
/* The first n_full pages of the chain hold ids now: makes them findable. A page that another chain
 * already made known is exchanged for that one. */
void ze_kv_learn(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n_full);
/* The chain has computed n of its ids and ends now (ze_kv_chain_release follows): makes what is
 * beyond its full pages findable as a tail. */
void ze_kv_leave_tail(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n);

int ze_kv_n_pages(const struct ze_kv *kv);
int ze_kv_n_free(const struct ze_kv *kv);
int ze_kv_n_idle(const struct ze_kv *kv);
int ze_kv_n_promised(const struct ze_kv *kv);

/* Tests: every invariant of the above, ZC_EINTERNAL with the broken one. O(pages). */
int ze_kv_check(const struct ze_kv *kv, struct zc_diag *dg);

#endif
