/* SPDX-License-Identifier: MIT */
/* The book of pages. Why a known page can be told by (its parent's number, its tokens): chains are
 * given back from their end, so an idle page always was left before the one it follows, and the
 * oldest idle page goes first; a held page's parent is held by the same chain. So a parent is never
 * forgotten before its children, and its number means the same page for as long as they live. */
#include "zoracd/engine/ze_kv.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

#define MAX_PAGES (1 << 26)
#define MAX_TAILS 64 /* after one page: they are looked through one by one */

struct page {
    int32_t refs;
    bool is_known;
    int32_t parent;     /* page before it, or ZE_NO_PAGE */
    int32_t n_children; /* known pages that follow it */
    uint64_t root;
    int32_t n_ids;       /* that it holds: ZK_PAGE, or less for a tail */
    uint64_t hash;       /* of the whole chain up to here; of a tail: of what is before it */
    int32_t bucket_next; /* known pages of one bucket */
    int32_t prev, next;  /* free or idle list */
    int32_t ids[ZK_PAGE];
};

/* Both lists run through prev and next; taken from the head, put at the tail. */
struct list {
    int32_t head, tail;
    int n;
};

struct ze_kv {
    struct page *pages;
    int32_t *buckets;
    int n_pages;
    uint32_t mask;
    struct list free, idle;
    int promised; /* of all chains */
};

/* ---- lists --------------------------------------------------------------------------------- */

static void list_put(struct ze_kv *kv, struct list *l, int32_t at)
{
    struct page *p = &kv->pages[at];

    p->next = ZE_NO_PAGE;
    p->prev = l->tail;
    if (l->tail == ZE_NO_PAGE)
        l->head = at;
    else
        kv->pages[l->tail].next = at;
    l->tail = at;
    l->n++;
}

static void list_remove(struct ze_kv *kv, struct list *l, int32_t at)
{
    struct page *p = &kv->pages[at];

    if (p->prev == ZE_NO_PAGE)
        l->head = p->next;
    else
        kv->pages[p->prev].next = p->next;
    if (p->next == ZE_NO_PAGE)
        l->tail = p->prev;
    else
        kv->pages[p->next].prev = p->prev;
    p->prev = p->next = ZE_NO_PAGE;
    l->n--;
}

/* ---- the table of known pages -------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15;
    return h ^ h >> 29;
}

static uint64_t hash_page(uint64_t before, const int32_t *ids)
{
    for (int i = 0; i < ZK_PAGE; i++)
        before = mix(before, (uint32_t)ids[i]);
    return mix(before, ZK_PAGE);
}

/* The hash of the chain that ends in parent. */
static uint64_t hash_before(const struct ze_kv *kv, uint64_t root, int32_t parent)
{
    return parent == ZE_NO_PAGE ? mix(0x5A6F726163, root) : kv->pages[parent].hash;
}

/* All tails after one page are in one bucket. */
static uint64_t hash_tail(uint64_t before)
{
    return mix(before, 0x7461696C);
}

static int32_t find_known(const struct ze_kv *kv, uint64_t root, int32_t parent, const int32_t *ids)
{
    uint64_t hash = hash_page(hash_before(kv, root, parent), ids);
    int32_t at = kv->buckets[hash & kv->mask];

    for (; at != ZE_NO_PAGE; at = kv->pages[at].bucket_next) {
        const struct page *p = &kv->pages[at];
        if (p->hash == hash && p->parent == parent && p->root == root && p->n_ids == ZK_PAGE &&
            memcmp(p->ids, ids, sizeof p->ids) == 0)
            return at;
    }
    return ZE_NO_PAGE;
}

static bool is_tail(const struct page *p, uint64_t hash, uint64_t root, int32_t parent)
{
    return p->hash == hash && p->parent == parent && p->root == root && p->n_ids != ZK_PAGE;
}

/* The tail that has the most of the n ids at its beginning; how many in *ret_common. */
static int32_t find_tail(const struct ze_kv *kv, uint64_t root, int32_t parent, const int32_t *ids,
                         int n, int *ret_common)
{
    uint64_t hash = hash_tail(hash_before(kv, root, parent));
    int32_t at = kv->buckets[hash & kv->mask], best = ZE_NO_PAGE;

    *ret_common = 0;
    for (; at != ZE_NO_PAGE; at = kv->pages[at].bucket_next) {
        const struct page *p = &kv->pages[at];
        int common = 0;
        if (!is_tail(p, hash, root, parent))
            continue;
        while (common < n && common < p->n_ids && p->ids[common] == ids[common])
            common++;
        if (common > *ret_common) {
            *ret_common = common;
            best = at;
        }
    }
    return best;
}

/* n ids: ZK_PAGE, or fewer for a tail. */
static void make_known(struct ze_kv *kv, int32_t at, uint64_t root, int32_t parent,
                       const int32_t *ids, int n)
{
    struct page *p = &kv->pages[at];
    uint64_t before = hash_before(kv, root, parent);

    p->is_known = true;
    p->root = root;
    p->parent = parent;
    p->n_ids = n;
    p->hash = n == ZK_PAGE ? hash_page(before, ids) : hash_tail(before);
    memcpy(p->ids, ids, (size_t)n * sizeof *ids);
    if (parent != ZE_NO_PAGE)
        kv->pages[parent].n_children++;
    int32_t *bucket = &kv->buckets[p->hash & kv->mask];
    p->bucket_next = *bucket;
    *bucket = at;
}

static void forget(struct ze_kv *kv, int32_t at)
{
    struct page *p = &kv->pages[at];
    int32_t *link = &kv->buckets[p->hash & kv->mask];

    ZC_BUG_ON(p->n_children != 0);
    while (*link != at)
        link = &kv->pages[*link].bucket_next;
    *link = p->bucket_next;
    if (p->parent != ZE_NO_PAGE)
        kv->pages[p->parent].n_children--;
    p->is_known = false;
    p->parent = ZE_NO_PAGE;
}

/* ---- holding ------------------------------------------------------------------------------- */

static void hold(struct ze_kv *kv, int32_t at)
{
    if (kv->pages[at].refs++ == 0)
        list_remove(kv, &kv->idle, at);
}

static void let_go(struct ze_kv *kv, int32_t at)
{
    struct page *p = &kv->pages[at];

    ZC_BUG_ON(p->refs <= 0);
    if (--p->refs == 0)
        list_put(kv, p->is_known ? &kv->idle : &kv->free, at);
}

static int32_t take_one(struct ze_kv *kv)
{
    struct list *from = kv->free.n > 0 ? &kv->free : &kv->idle;
    int32_t at = from->head;

    ZC_BUG_ON(at == ZE_NO_PAGE);
    list_remove(kv, from, at);
    if (kv->pages[at].is_known)
        forget(kv, at);
    kv->pages[at].refs = 1;
    return at;
}

/* ---- life ---------------------------------------------------------------------------------- */

static uint32_t count_buckets(int n_pages)
{
    uint32_t n = 16;
    while (n < 2 * (uint32_t)n_pages)
        n *= 2;
    return n;
}

uint64_t ze_kv_bytes(int n_pages)
{
    return sizeof(struct ze_kv) + (uint64_t)n_pages * sizeof(struct page) +
           (uint64_t)count_buckets(n_pages) * sizeof(int32_t);
}

int ze_kv_new(struct ze_kv **ret_kv, int n_pages)
{
    void *pages = NULL, *buckets = NULL;
    int r;

    if (n_pages < 1 || n_pages > MAX_PAGES)
        return ZC_ELIMIT;
    uint32_t n_buckets = count_buckets(n_pages);
    if ((r = zc_try_calloc(&pages, (size_t)n_pages, sizeof(struct page), SIZE_MAX)) < 0 ||
        (r = zc_try_malloc(&buckets, n_buckets, sizeof(int32_t), SIZE_MAX)) < 0) {
        zc_free(pages);
        return r;
    }
    struct ze_kv *kv = zc_xcalloc(1, sizeof *kv);
    kv->pages = pages;
    kv->buckets = buckets;
    kv->n_pages = n_pages;
    kv->mask = n_buckets - 1;
    memset(kv->buckets, 0xff, n_buckets * sizeof *kv->buckets); /* ZE_NO_PAGE */
    kv->free = kv->idle = (struct list){ZE_NO_PAGE, ZE_NO_PAGE, 0};
    for (int32_t i = 0; i < n_pages; i++) {
        kv->pages[i].parent = ZE_NO_PAGE;
        list_put(kv, &kv->free, i);
    }
    *ret_kv = kv;
    return ZC_OK;
}

void ze_kv_free(struct ze_kv *kv)
{
    if (!kv)
        return;
    zc_free(kv->pages);
    zc_free(kv->buckets);
    zc_free(kv);
}

/* ---- chains -------------------------------------------------------------------------------- */

int ze_kv_chain_init(struct ze_kv *kv, struct ze_chain *c, uint64_t root, int cap)
{
    void *pages;
    int r;

    if (cap < 0 || cap > kv->n_pages)
        return ZC_ELIMIT;
    if ((r = zc_try_malloc(&pages, (size_t)cap, sizeof(int32_t), SIZE_MAX)) < 0)
        return r;
    *c = (struct ze_chain){.root = root, .pages = pages, .cap = cap};
    return ZC_OK;
}

void ze_kv_chain_release(struct ze_kv *kv, struct ze_chain *c)
{
    while (c->n > 0)
        let_go(kv, c->pages[--c->n]);
    kv->promised -= c->promised;
    zc_free(c->pages);
    *c = (struct ze_chain){0};
}

int ze_kv_promise(struct ze_kv *kv, struct ze_chain *c, int n_pages)
{
    int more = n_pages - c->n - c->promised;

    if (n_pages > c->cap)
        return ZC_ELIMIT;
    if (more <= 0)
        return ZC_OK;
    if (more > kv->free.n + kv->idle.n - kv->promised)
        return ZC_EBUSY;
    c->promised += more;
    kv->promised += more;
    return ZC_OK;
}

/* What holds the ids after the full pages that were found, for this chain alone from now on. */
static int adopt_tail(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n_ids)
{
    int32_t parent = c->n > 0 ? c->pages[c->n - 1] : ZE_NO_PAGE;
    int from = c->n * ZK_PAGE, common;
    int32_t at = find_tail(kv, c->root, parent, ids + from, n_ids - from, &common);

    if (at == ZE_NO_PAGE || c->promised == 0)
        return 0;
    list_remove(kv, &kv->idle, at);
    forget(kv, at);
    kv->pages[at].refs = 1;
    c->pages[c->n++] = at;
    c->promised--;
    kv->promised--;
    return common;
}

int ze_kv_admit(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n_ids, int n_pages)
{
    int32_t parent = ZE_NO_PAGE;
    int r;

    ZC_BUG_ON(c->n != 0);
    if (n_pages > c->cap)
        return ZC_ELIMIT;
    for (int i = 0; i < n_ids / ZK_PAGE && i < n_pages; i++) {
        int32_t at = find_known(kv, c->root, parent, ids + (size_t)i * ZK_PAGE);
        if (at == ZE_NO_PAGE)
            break;
        hold(kv, at);
        c->pages[c->n++] = at;
        parent = at;
    }
    /* an idle page that is held now can't be given to those it was promised to */
    r = kv->free.n + kv->idle.n < kv->promised ? ZC_EBUSY : ze_kv_promise(kv, c, n_pages);
    if (r < 0) {
        while (c->n > 0)
            let_go(kv, c->pages[--c->n]);
        return r;
    }
    c->n_known = c->n;
    c->n_found = c->n * ZK_PAGE;
    c->n_found += adopt_tail(kv, c, ids, n_ids);
    return ZC_OK;
}

void ze_kv_take(struct ze_kv *kv, struct ze_chain *c, int n_pages)
{
    while (c->n < n_pages) {
        ZC_BUG_ON(c->promised <= 0);
        c->promised--;
        kv->promised--;
        c->pages[c->n++] = take_one(kv);
    }
}

void ze_kv_learn(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n_full)
{
    ZC_BUG_ON(n_full > c->n);
    for (; c->n_known < n_full && !c->is_private; c->n_known++) {
        int i = c->n_known;
        const int32_t *held = ids + (size_t)i * ZK_PAGE;
        int32_t parent = i > 0 ? c->pages[i - 1] : ZE_NO_PAGE;
        int32_t same = find_known(kv, c->root, parent, held);
        if (same == ZE_NO_PAGE) {
            make_known(kv, c->pages[i], c->root, parent, held, ZK_PAGE);
        } else {
            hold(kv, same);
            let_go(kv, c->pages[i]);
            c->pages[i] = same;
        }
    }
}

/* Where there are as many tails as there may be, the one that was left longest ago (the last of the
 * bucket) makes way. Nobody holds it: a tail that is found belongs to its finder alone. */
static void limit_tails(struct ze_kv *kv, uint64_t root, int32_t parent)
{
    uint64_t hash = hash_tail(hash_before(kv, root, parent));
    int32_t at = kv->buckets[hash & kv->mask], oldest = ZE_NO_PAGE;
    int n = 0;

    for (; at != ZE_NO_PAGE; at = kv->pages[at].bucket_next) {
        if (is_tail(&kv->pages[at], hash, root, parent)) {
            oldest = at;
            n++;
        }
    }
    if (n < MAX_TAILS)
        return;
    ZC_BUG_ON(kv->pages[oldest].refs != 0);
    forget(kv, oldest);
    list_remove(kv, &kv->idle, oldest);
    list_put(kv, &kv->free, oldest);
}

void ze_kv_leave_tail(struct ze_kv *kv, struct ze_chain *c, const int32_t *ids, int n)
{
    int full = n / ZK_PAGE, rest = n % ZK_PAGE, common;
    int32_t parent = full > 0 ? c->pages[full - 1] : ZE_NO_PAGE;

    if (rest == 0 || c->is_private || c->n_known != full || c->n <= full)
        return;
    ids += (size_t)full * ZK_PAGE;
    find_tail(kv, c->root, parent, ids, rest, &common);
    if (common == rest) /* another one says it all */
        return;
    limit_tails(kv, c->root, parent);
    make_known(kv, c->pages[full], c->root, parent, ids, rest);
}

int ze_kv_n_pages(const struct ze_kv *kv)
{
    return kv->n_pages;
}

int ze_kv_n_free(const struct ze_kv *kv)
{
    return kv->free.n;
}

int ze_kv_n_idle(const struct ze_kv *kv)
{
    return kv->idle.n;
}

int ze_kv_n_promised(const struct ze_kv *kv)
{
    return kv->promised;
}

/* ---- for tests ----------------------------------------------------------------------------- */

static int check_list(const struct ze_kv *kv, const struct list *l, bool is_idle,
                      struct zc_diag *dg)
{
    int n = 0;
    int32_t prev = ZE_NO_PAGE;

    for (int32_t at = l->head; at != ZE_NO_PAGE; at = kv->pages[at].next) {
        const struct page *p = &kv->pages[at];
        if (p->refs != 0 || p->prev != prev || p->is_known != is_idle || ++n > kv->n_pages)
            return zc_diag(dg, ZC_EINTERNAL, "page %d does not belong in its list", at);
        prev = at;
    }
    if (prev != l->tail || n != l->n)
        return zc_diag(dg, ZC_EINTERNAL, "a list holds %d pages and says %d", n, l->n);
    return ZC_OK;
}

static int check_page(const struct ze_kv *kv, int32_t at, struct zc_diag *dg)
{
    const struct page *p = &kv->pages[at];

    if (!p->is_known)
        return p->n_children == 0
                   ? ZC_OK
                   : zc_diag(dg, ZC_EINTERNAL, "page %d is followed and not known", at);
    int common = 0;
    if (p->n_ids == ZK_PAGE
            ? find_known(kv, p->root, p->parent, p->ids) != at
            : find_tail(kv, p->root, p->parent, p->ids, p->n_ids, &common) == ZE_NO_PAGE ||
                  common != p->n_ids || p->refs != 0 || p->n_children != 0)
        return zc_diag(dg, ZC_EINTERNAL, "page %d is not found by what it holds", at);
    if (p->parent == ZE_NO_PAGE)
        return ZC_OK;
    const struct page *before = &kv->pages[p->parent];
    if (!before->is_known || before->root != p->root || before->n_children <= 0)
        return zc_diag(dg, ZC_EINTERNAL, "page %d has lost page %d", at, p->parent);
    if (p->refs > before->refs)
        return zc_diag(dg, ZC_EINTERNAL, "page %d is held and page %d before it less", at,
                       p->parent);
    return ZC_OK;
}

int ze_kv_check(const struct ze_kv *kv, struct zc_diag *dg)
{
    int held = 0, r;

    if ((r = check_list(kv, &kv->free, false, dg)) < 0 ||
        (r = check_list(kv, &kv->idle, true, dg)) < 0)
        return r;
    for (int32_t i = 0; i < kv->n_pages; i++) {
        held += kv->pages[i].refs > 0;
        if ((r = check_page(kv, i, dg)) < 0)
            return r;
    }
    if (held + kv->free.n + kv->idle.n != kv->n_pages)
        return zc_diag(dg, ZC_EINTERNAL, "%d held, %d free, %d idle of %d pages", held, kv->free.n,
                       kv->idle.n, kv->n_pages);
    if (kv->promised < 0 || kv->promised > kv->free.n + kv->idle.n)
        return zc_diag(dg, ZC_EINTERNAL, "%d pages promised of %d", kv->promised,
                       kv->free.n + kv->idle.n);
    return ZC_OK;
}
