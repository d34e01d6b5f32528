/* SPDX-License-Identifier: MIT */
/* Python's dict: keeps the order in which keys came, finds them by hash and equality. */
#include "zoracd/text/zt_py_internal.h"

struct zt_dict *zt_dict_new(struct zt_env *e)
{
    return zt_alloc(e, 1, sizeof(struct zt_dict));
}

/* Equal values have equal hashes: 1, 1.0 and True are one key. */
static uint64_t hash(struct zt_env *e, struct zt_val k)
{
    const uint64_t prime = 0x9e3779b97f4a7c15;
    uint64_t h = 0;

    if (k.kind == ZT_LIST || k.kind == ZT_DICT)
        zt_fail(e, "%s cannot be a key", zt_py_type_name(k));
    if (k.kind == ZT_STR)
        zt_step(e, k.n / 16);
    for (size_t i = 0; k.kind == ZT_STR && i < k.n; i++)
        h = (h ^ zt_char(k, i)) * 0x100000001b3;
    if (k.kind == ZT_TUPLE)
        zt_step(e, k.u.l->n);
    for (size_t i = 0; k.kind == ZT_TUPLE && i < k.u.l->n; i++)
        h = (h ^ hash(e, k.u.l->v[i])) * prime;
    if (k.kind == ZT_BOOL || k.kind == ZT_INT)
        h = k.kind == ZT_BOOL ? k.u.b : (uint64_t)k.u.i;
    if (k.kind == ZT_FLOAT && k.u.f >= -0x1p62 && k.u.f <= 0x1p62)
        h = (uint64_t)(int64_t)k.u.f;
    h = (h ^ h >> 32) * prime;
    return h ^ h >> 29;
}

enum { SMALL_DICT = 8 };

/* Where the index has k, or the free place where it belongs. */
static uint32_t *probe(struct zt_env *e, const struct zt_dict *d, struct zt_val k)
{
    size_t i = hash(e, k) & (d->n_index - 1);

    while (d->index[i] && !zt_py_is_equal(e, d->e[d->index[i] - 1].k, k)) {
        zt_step(e, 1);
        i = (i + 1) & (d->n_index - 1);
    }
    return &d->index[i];
}

static struct zt_pair *find(struct zt_env *e, const struct zt_dict *d, struct zt_val k)
{
    if (d->index) {
        uint32_t i = *probe(e, d, k);
        return i ? &d->e[i - 1] : NULL;
    }
    if (k.kind != ZT_STR)
        hash(e, k);
    for (size_t i = 0; i < d->n; i++) {
        struct zt_val x = d->e[i].k;
        bool strings = x.kind == ZT_STR && k.kind == ZT_STR; /* nearly always */
        zt_step(e, strings && x.n == k.n ? k.n / 16 : 0);
        if (strings ? zt_is_same(x, k) : zt_py_is_equal(e, x, k))
            return &d->e[i];
    }
    return NULL;
}

void zt_dict_set(struct zt_env *e, struct zt_dict *d, struct zt_val k, struct zt_val v)
{
    struct zt_pair *at = find(e, d, k);
    size_t cap = d->cap;

    if (at) {
        at->v = v;
        return;
    }
    d->e = zt_grow(e, d->e, d->n, &d->cap, sizeof *d->e);
    d->e[d->n++] = (struct zt_pair){k, v};
    if (d->index && cap == d->cap) {
        *probe(e, d, k) = (uint32_t)d->n;
    } else if (d->cap > SMALL_DICT) {
        d->n_index = d->cap * 2;
        d->index = zt_alloc(e, d->n_index, sizeof *d->index);
        for (size_t i = 0; i < d->n; i++)
            *probe(e, d, d->e[i].k) = (uint32_t)i + 1;
    }
}

const struct zt_val *zt_dict_get(struct zt_env *e, const struct zt_dict *d, struct zt_val k)
{
    struct zt_pair *at = d ? find(e, d, k) : NULL;

    return at ? &at->v : NULL;
}

struct zt_val zt_dict_value(struct zt_env *e, const struct zt_dict *d, const char *key)
{
    const struct zt_val *v = d ? zt_dict_get(e, d, zt_text(e, key, true)) : NULL;

    return v ? *v : ZT_NO_VALUE;
}
