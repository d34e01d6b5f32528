/* SPDX-License-Identifier: MIT */
/* The matter that templates are made of: the arena, the one way to fail, text that knows whom each
 * character came from, and lists. No meaning of the template language is here. */
#include "zoracd/text/zt_py.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_mem.h"
#include "common/zc_utf8.h"
#include "zoracd/text/zt_json.h"

/* ---- arena and failure ---------------------------------------------------------------------- */

struct zt_chunk {
    struct zt_chunk *next;
    size_t size;
    max_align_t data[];
};

enum { MIN_CHUNK = 64 << 10, MAX_CHUNK = 4 << 20 };

_Noreturn static void fail_memory(struct zt_env *e, int err)
{
    if (err == ZC_ENOMEM)
        zt_fail_err(e, err, "out of memory");
    zt_fail_limit(e, "the template needs too much memory");
}

static struct zt_chunk *chunk_new(struct zt_env *e, size_t size)
{
    void *p = NULL;

    if (size > e->max - e->used)
        fail_memory(e, ZC_ELIMIT);
    if (zc_try_malloc(&p, 1, sizeof(struct zt_chunk) + size, SIZE_MAX) < 0)
        fail_memory(e, ZC_ENOMEM);
    *(struct zt_chunk *)p = (struct zt_chunk){.size = size};
    return p;
}

/* Makes it the one that memory is taken from. */
static void use_chunk(struct zt_env *e, struct zt_chunk *c)
{
    c->next = e->chunks;
    e->chunks = c;
    e->used += c->size;
    e->at = (char *)c->data;
    e->end = e->at + c->size;
}

/* A block in a chunk of its own, behind the one in use. */
static void *take_apart(struct zt_env *e, size_t bytes)
{
    struct zt_chunk *c = chunk_new(e, bytes), **at = e->chunks ? &e->chunks->next : &e->chunks;

    c->next = *at;
    *at = c;
    e->used += bytes;
    return c->data;
}

/* Bytes for any value. Chunks grow, so that a rendering soon needs one only, the one that the
 * rendering before it has left. */
static void *take(struct zt_env *e, size_t bytes)
{
    size_t skip = -(uintptr_t)e->at & (_Alignof(max_align_t) - 1), room = (size_t)(e->end - e->at);

    zt_step(e, bytes / 64); /* what is made of long texts is work too */
    if (!e->at || skip > room || bytes > room - skip) {
        size_t size = e->used < MIN_CHUNK / 2   ? MIN_CHUNK
                      : e->used < MAX_CHUNK / 2 ? 2 * e->used
                                                : MAX_CHUNK;
        if (bytes > size / 2 || size > e->max - e->used)
            return take_apart(e, bytes);
        use_chunk(e, chunk_new(e, size));
        skip = 0;
    }
    e->at += skip + bytes;
    return e->at - bytes;
}

/* Of the block that ended at end what is behind to, if nothing was taken since. */
static void give_back(struct zt_env *e, const uint32_t *end, uint32_t *to)
{
    if ((const char *)end == e->at)
        e->at = (char *)to;
}

void *zt_alloc(struct zt_env *e, size_t n, size_t size)
{
    size_t bytes;

    if (!zc_mul_ok(n, size, &bytes))
        fail_memory(e, ZC_ELIMIT);
    return memset(take(e, bytes), 0, bytes);
}

void *zt_grow(struct zt_env *e, void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 4;
    void *more = zt_alloc(e, *cap, size);
    return n ? memcpy(more, p, n * size) : more;
}

void zt_env_begin(struct zt_env *e, struct zt_chunk *spare)
{
    if (spare)
        use_chunk(e, spare);
}

struct zt_chunk *zt_env_end(struct zt_env *e)
{
    struct zt_chunk *spare = NULL;

    for (struct zt_chunk *c = e->chunks, *next; c; c = next) {
        next = c->next;
        if (!spare && c->size <= MAX_CHUNK) {
            spare = c;
            spare->next = NULL;
        } else {
            zc_free(c);
        }
    }
    zc_buf_release(&e->scratch);
    return spare;
}

void zt_fail_err(struct zt_env *e, int err, const char *what)
{
    e->err = zc_diag(e->dg, err, "%s:%u: %s", e->name, e->line, what);
    longjmp(e->on_fail, 1);
}

void zt_fail_limit(struct zt_env *e, const char *what)
{
    char text[200];

    if (!e->doing)
        zt_fail_err(e, ZC_ELIMIT, what);
    snprintf(text, sizeof text, "%s, at '%s'", what, e->doing);
    zt_fail_err(e, ZC_ELIMIT, text);
}

void zt_fail(struct zt_env *e, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    zt_fail_err(e, ZC_EINVAL, what);
}

/* ---- strings -------------------------------------------------------------------------------- */

static struct zt_val string(const uint32_t *s, size_t n)
{
    return (struct zt_val){.kind = ZT_STR, .n = (uint32_t)n, .u.s = s};
}

struct zt_val zt_decode(struct zt_env *e, const char *p, size_t len, bool trusted)
{
    uint32_t *s = take(e, len * sizeof *s), origin = trusted ? ZT_TRUSTED : 0;
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
    give_back(e, s + len, s + n);
    return string(s, n);
}

struct zt_val zt_text(struct zt_env *e, const char *ascii, bool trusted)
{
    return zt_decode(e, ascii, strlen(ascii), trusted);
}

char *zt_utf8(struct zt_env *e, struct zt_val s)
{
    char *text = take(e, s.n * (size_t)4 + 1), *p = text;

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
        r = take(e, sizeof *r + cap * sizeof *r->s);
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
        uint32_t *p = take(e, cap * sizeof *p);
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
    give_back(b->e, b->p + b->cap, b->p + b->n);
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
