/* SPDX-License-Identifier: MIT */
/* Sequences: their ids, and their pages by way of ze_kv. */
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine_internal.h"

static int pages_of(size_t tokens)
{
    return (int)((tokens + ZK_PAGE - 1) / ZK_PAGE);
}

static int check_ids(const struct ze_engine *e, const int32_t *ids, size_t n, struct zc_diag *dg)
{
    if (n == 0)
        return zc_diag(dg, ZC_EINVAL, "a sequence has at least one token");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->m->c.V)
            return zc_diag(dg, ZC_EINVAL, "token %d is outside the vocabulary of %d", ids[i],
                           e->m->c.V);
    return ZC_OK;
}

/* What a sequence may ever need, so that a promise needs no other memory. */
static size_t most_tokens(const struct ze_engine *e)
{
    size_t pages = (size_t)ze_kv_n_pages(e->kv) * ZK_PAGE;
    size_t context = (size_t)e->plan.context;
    return pages < context ? pages : context;
}

/* How many of n ids may come from the cache: the last one is computed for its logits, and with it
 * its unit where that is whole, since a row alone would have other bits. */
static size_t most_cached(const struct ze_engine *e, size_t n)
{
    const size_t unit = (size_t)e->plan.prefill_unit;
    return unit > 0 && n % unit == 0 ? n - unit : n - 1;
}

static int start(struct ze_seq *s, uint64_t root, const int32_t *ids, size_t n, size_t total,
                 struct zc_diag *dg)
{
    struct ze_engine *e = s->e;
    void *mem;
    int r;

    if ((r = ze_kv_chain_init(e->kv, &s->chain, root, pages_of(most_tokens(e)))) < 0 ||
        (r = zc_try_malloc(&mem, total, sizeof *ids, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for a sequence of %zu tokens", total);
    s->ids = mem;
    memcpy(s->ids, ids, n * sizeof *ids);
    s->n = n;
    s->cap = total;
    r = ze_kv_admit(e->kv, &s->chain, s->ids, (int)most_cached(e, n), pages_of(total));
    if (r < 0)
        return zc_diag(dg, r, "%d pages of %d are free or can be freed, %d are needed",
                       ze_kv_n_free(e->kv) + ze_kv_n_idle(e->kv) - ze_kv_n_promised(e->kv),
                       ze_kv_n_pages(e->kv), pages_of(total));
    s->computed = s->cached = (size_t)s->chain.n_found;
    return ZC_OK;
}

int ze_seq_new(struct ze_seq **ret_s, struct ze_engine *e, uint64_t root, const int32_t *ids,
               size_t n, size_t reserve, struct zc_diag *dg)
{
    size_t total, most = most_tokens(e);
    void *mem;
    int r;

    if ((r = check_ids(e, ids, n, dg)) < 0)
        return r;
    if (!zc_add_ok(n, reserve, &total) || total > most)
        return zc_diag(dg, ZC_ELIMIT, "%zu tokens and %zu to come: the context is %zu", n, reserve,
                       most);
    if ((r = zc_try_calloc(&mem, 1, sizeof(struct ze_seq), SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for a sequence");
    struct ze_seq *s = mem;
    s->e = e;
    e->n_seqs++;
    if ((r = start(s, root, ids, n, total, dg)) < 0) {
        ze_seq_free(s);
        return r;
    }
    *ret_s = s;
    return ZC_OK;
}

void ze_seq_free(struct ze_seq *s)
{
    if (!s)
        return;
    ze_kv_leave_tail(s->e->kv, &s->chain, s->ids, (int)s->computed);
    ze_kv_chain_release(s->e->kv, &s->chain);
    s->e->n_seqs--;
    zc_free(s->ids);
    zc_free(s);
}

int ze_seq_reserve(struct ze_seq *s, size_t n_tokens)
{
    void *ids;
    int r;

    if (n_tokens > most_tokens(s->e))
        return ZC_ELIMIT;
    if (n_tokens <= s->cap)
        return ZC_OK;
    if ((r = ze_kv_promise(s->e->kv, &s->chain, pages_of(n_tokens))) < 0)
        return r;
    if ((r = zc_try_malloc(&ids, n_tokens, sizeof *s->ids, SIZE_MAX)) < 0)
        return r;
    if (s->n)
        memcpy(ids, s->ids, s->n * sizeof *s->ids);
    zc_free(s->ids);
    s->ids = ids;
    s->cap = n_tokens;
    return ZC_OK;
}

int ze_seq_append(struct ze_seq *s, int32_t id)
{
    if (id < 0 || id >= s->e->m->c.V)
        return ZC_EINVAL;
    if (s->n == s->cap)
        return ZC_ELIMIT;
    s->ids[s->n++] = id;
    return ZC_OK;
}

/* Small numbers of both signs, whatever the type and the order of a page. F8: each byte is a code
 * of at most 2 and any two of them, where a scale lies, an fp16 number of at most 2. */
static void fill_page(uint8_t *page, size_t bytes, enum zk_kv_type type, uint32_t seed)
{
    const size_t size = type == ZK_KV_F32 ? 4 : type == ZK_KV_F16 ? 2 : 1;

    for (size_t i = 0; i < bytes / size; i++) {
        seed = seed * 1664525 + 1013904223;
        float v = (float)(int32_t)seed * 0x1p-32F;
        uint16_t h = zk_f32_to_f16(v);
        uint8_t b = (uint8_t)(0x20 | (seed >> 24 & 0x9f));
        memcpy(page + size * i, size == 4 ? (void *)&v : size == 2 ? (void *)&h : &b, size);
    }
}

int ze_seq_pretend(struct ze_seq *s, size_t n)
{
    struct ze_engine *e = s->e;
    size_t bytes = e->plan.kv_page_bytes / (size_t)e->m->c.L;
    int r = ZC_OK;

    if (s->computed != 0 || n >= s->n)
        return ZC_EINVAL;
    uint8_t *page = zc_xmalloc(bytes);
    ze_kv_take(e->kv, &s->chain, pages_of(n));
    for (int l = 0; l < e->m->c.L; l++) {
        fill_page(page, bytes, e->plan.kv_type, (uint32_t)l + 1);
        for (int i = 0; i < s->chain.n && r == ZC_OK; i++) {
            char *at = (char *)e->m->layers[l].kv.base + (size_t)s->chain.pages[i] * bytes;
            r = e->dev->ops->upload(e->dev, at, page, bytes);
        }
    }
    zc_free(page);
    s->computed = n;
    s->chain.is_private = true;
    return r;
}

void ze_seq_take(struct ze_seq *s, int n)
{
    ze_kv_take(s->e->kv, &s->chain, pages_of(s->computed + (size_t)n));
}

void ze_seq_advance(struct ze_seq *s, int n)
{
    s->computed += (size_t)n;
    ze_kv_learn(s->e->kv, &s->chain, s->ids, (int)(s->computed / ZK_PAGE));
}

size_t ze_seq_len(const struct ze_seq *s)
{
    return s->n;
}

size_t ze_seq_computed(const struct ze_seq *s)
{
    return s->computed;
}

size_t ze_seq_cached(const struct ze_seq *s)
{
    return s->cached;
}

const int32_t *ze_seq_ids(const struct ze_seq *s)
{
    return s->ids;
}
