/* SPDX-License-Identifier: MIT */
/* The values that templates work with: strings whose characters know who wrote them, growing text,
 * lists, and dicts that keep the order in which keys came. */
#include "zoracd/text/zt_py_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_utf8.h"

/* ---- strings -------------------------------------------------------------------------------- */

static struct zt_val string(const uint32_t *s, size_t n)
{
    return (struct zt_val){.kind = ZT_STR, .n = (uint32_t)n, .u.s = s};
}

struct zt_val zt_decode(struct zt_env *e, const char *p, size_t len, bool trusted)
{
    uint32_t *s = zt_alloc_raw(e, len * sizeof *s), origin = trusted ? ZT_TRUSTED : 0;
    const unsigned char *u = (const unsigned char *)p, *end = u + len;
    size_t n = 0;

    while (u < end) {
        while (u < end && *u < 0x80)
            s[n++] = *u++ | origin;
        if (u == end)
            break;
        uint32_t c = *u++;
        int more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        for (c = more ? c & (0x3fu >> more) : c; more > 0; more--)
            c = c << 6 | (*u++ & 0x3f);
        s[n++] = c | origin;
    }
    zt_give_back(e, s + len, s + n);
    return string(s, n);
}

struct zt_val zt_text(struct zt_env *e, const char *ascii, bool trusted)
{
    return zt_decode(e, ascii, strlen(ascii), trusted);
}

char *zt_utf8(struct zt_env *e, struct zt_val s)
{
    char *text = zt_alloc_raw(e, s.n * (size_t)4 + 1), *p = text;

    for (size_t i = 0; i < s.n; i++)
        p += zc_utf8_put(p, zt_py_is_surrogate(zt_char(s, i)) ? 0xfffd : zt_char(s, i));
    *p = '\0';
    return text;
}

bool zt_is(struct zt_val s, const char *ascii)
{
    size_t i = 0;

    while (i < s.n && ascii[i] && zt_char(s, i) == (unsigned char)ascii[i])
        i++;
    return i == s.n && !ascii[i];
}

bool zt_is_one_of(uint32_t c, const char *set)
{
    return c && c < 0x80 && strchr(set, (int)c);
}

int zt_compare(struct zt_val a, struct zt_val b)
{
    size_t i = 0, n = a.n < b.n ? a.n : b.n;

    while (i < n && zt_char(a, i) == zt_char(b, i))
        i++;
    return i < n ? (zt_char(a, i) > zt_char(b, i) ? 1 : -1) : (a.n > b.n) - (a.n < b.n);
}

/* What stands before the characters that zt_concat made. */
struct room {
    uint32_t used, cap;
    uint32_t s[];
};

/* Appends in place where a has room behind it, and gives what was appended to before more room than
 * it needs, so that text which is built piece by piece takes linear time. */
struct zt_val zt_concat(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    struct room *r = a.grows ? (struct room *)(a.u.growing - 2) : NULL;
    size_t n = (size_t)a.n + b.n;

    if (!r || r->used != a.n || r->cap < n) {
        size_t cap = n + (a.grows ? n : 0);
        r = zt_alloc_raw(e, sizeof *r + cap * sizeof *r->s);
        r->cap = (uint32_t)cap;
        memcpy(r->s, a.u.s, a.n * sizeof *r->s);
    }
    memcpy(r->s + a.n, b.u.s, b.n * sizeof *r->s);
    r->used = (uint32_t)n;
    struct zt_val s = string(r->s, n);
    s.grows = true;
    return s;
}

/* ---- growing text --------------------------------------------------------------------------- */

/* Room for n more characters; in place where the text lies at the arena's end. */
static uint32_t *reserve(struct zt_sb *b, size_t n)
{
    struct zt_env *e = b->e;
    size_t cap = (b->n + n) * 2, more = (cap - b->cap) * sizeof *b->p;

    if (b->p && n <= b->cap - b->n)
        return b->p + b->n;
    if (b->p && (char *)(b->p + b->cap) == e->at && more <= (size_t)(e->end - e->at)) {
        zt_step(e, more / 64);
        e->at += more;
    } else {
        uint32_t *p = zt_alloc_raw(e, cap * sizeof *p);
        b->p = b->n ? memcpy(p, b->p, b->n * sizeof *p) : p;
    }
    b->cap = cap;
    return b->p + b->n;
}

void zt_add(struct zt_sb *b, struct zt_val s)
{
    memcpy(reserve(b, s.n), s.u.s, s.n * sizeof *b->p);
    b->n += s.n;
}

void zt_add_char(struct zt_sb *b, uint32_t c)
{
    *reserve(b, 1) = c;
    b->n++;
}

void zt_add_ascii(struct zt_sb *b, const char *ascii, bool trusted)
{
    for (; *ascii; ascii++)
        zt_add_char(b, (unsigned char)*ascii | (trusted ? ZT_TRUSTED : 0));
}

void zt_addf(struct zt_sb *b, bool trusted, const char *fmt, ...)
{
    char text[700]; /* enough for the longest double with %f */
    va_list ap;

    zt_step(b->e, 1);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    zt_add_ascii(b, text, trusted);
}

struct zt_val zt_take(struct zt_sb *b)
{
    reserve(b, 0);
    struct zt_val s = string(b->p, b->n);
    zt_give_back(b->e, b->p + b->cap, b->p + b->n);
    *b = (struct zt_sb){.e = b->e};
    return s;
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct zt_list *zt_list_new(struct zt_env *e, size_t cap)
{
    struct zt_list *l = zt_alloc(e, 1, sizeof *l);

    l->v = zt_alloc(e, cap, sizeof *l->v);
    l->cap = cap;
    return l;
}

void zt_push(struct zt_env *e, struct zt_list *l, struct zt_val v)
{
    l->v = zt_grow(e, l->v, l->n, &l->cap, sizeof *l->v);
    l->v[l->n++] = v;
}

void zt_push_all(struct zt_env *e, struct zt_list *to, const struct zt_list *from)
{
    zt_step(e, 1 + from->n / 16);
    for (size_t i = 0; i < from->n; i++)
        zt_push(e, to, from->v[i]);
}

struct zt_val zt_tuple(struct zt_env *e, const struct zt_val *v, size_t n)
{
    struct zt_list *l = zt_list_new(e, n);

    for (size_t i = 0; i < n; i++)
        zt_push(e, l, v[i]);
    return zt_of_list(ZT_TUPLE, l);
}

/* ---- dicts ---------------------------------------------------------------------------------- */

struct zt_dict *zt_dict_new(struct zt_env *e)
{
    return zt_alloc(e, 1, sizeof(struct zt_dict));
}

/* Equal values have equal hashes: 1, 1.0 and True are one key. */
static uint64_t hash(struct zt_env *e, struct zt_val k)
{
    const uint64_t prime = 0x9e3779b97f4a7c15;
    uint64_t h = 0;

    bool is_set = k.kind == ZT_VIEW && k.u.l->view != 'v';

    if (k.kind == ZT_LIST || k.kind == ZT_DICT || is_set)
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
