/* SPDX-License-Identifier: MIT */
/* The matter that templates are made of: the arena, the one way to fail, strings that know whom
 * each byte came from, lists and dicts. No meaning of the template language is here. */
#include "zoracd/text/zt_tmpl_internal.h"

#include <stdarg.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_mem.h"
#include "zoracd/text/zt_json.h"
#include "common/zc_utf8.h"

/* ---- arena and failure ---------------------------------------------------------------------- */

struct zt_chunk {
    struct zt_chunk *next;
    max_align_t data[];
};

enum { CHUNK_BYTES = 64 << 10 };

/* Bytes from the newest chunk, or from a new one. */
static char *take(struct zt_env *e, size_t bytes, size_t align)
{
    size_t skip = -(uintptr_t)e->at & (align - 1);

    if (e->at && bytes <= (size_t)(e->end - e->at) && skip <= (size_t)(e->end - e->at) - bytes) {
        e->at += skip + bytes;
        return e->at - bytes;
    }
    size_t size = bytes > CHUNK_BYTES / 4 ? bytes : CHUNK_BYTES;
    void *p = NULL;
    int r = size > e->max - e->used
                ? ZC_ELIMIT
                : zc_try_malloc(&p, 1, sizeof(struct zt_chunk) + size, SIZE_MAX);
    if (r < 0)
        zt_fail_err(e, r, r == ZC_ELIMIT ? "the template needs too much memory" : "out of memory");
    struct zt_chunk *chunk = p;
    chunk->next = e->chunks;
    e->chunks = chunk;
    e->used += size;
    e->at = (char *)chunk->data + bytes;
    e->end = (char *)chunk->data + size;
    return (char *)chunk->data;
}

void *zt_alloc(struct zt_env *e, size_t n, size_t size)
{
    size_t bytes;

    if (!zc_mul_ok(n, size, &bytes))
        bytes = SIZE_MAX / 2; /* refused by the limit */
    return memset(take(e, bytes, _Alignof(max_align_t)), 0, bytes);
}

/* Bytes without alignment, grown in place where they lie at the arena's end. */
static char *grow(struct zt_env *e, char *p, size_t old_size, size_t new_size)
{
    if (p && p + old_size == e->at && new_size - old_size <= (size_t)(e->end - e->at)) {
        e->at += new_size - old_size;
        return p;
    }
    char *q = take(e, new_size, 1);
    if (old_size)
        memcpy(q, p, old_size);
    return q;
}

void zt_env_release(struct zt_env *e)
{
    for (struct zt_chunk *c = e->chunks, *next; c; c = next) {
        next = c->next;
        zc_free(c);
    }
    e->chunks = NULL;
    e->at = e->end = NULL;
    zc_buf_release(&e->scratch);
}

void zt_fail_err(struct zt_env *e, int err, const char *what)
{
    e->err = zc_diag(e->dg, err, "%s:%u: %s", e->name, e->line, what);
    longjmp(e->on_fail, 1);
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

void zt_step(struct zt_env *e, uint64_t n)
{
    if (n > e->steps)
        zt_fail_err(e, ZC_ELIMIT, "the template takes too many steps");
    e->steps -= n;
}

void zt_enter(struct zt_env *e)
{
    if (++e->depth > ZT_MAX_DEPTH)
        zt_fail_err(e, ZC_ELIMIT, "nested too deep");
}

/* ---- characters ----------------------------------------------------------------------------- */

size_t zt_count_chars(const char *p, size_t len)
{
    const uint64_t ones = 0x0101010101010101;
    size_t i = 0, rest = 0; /* bytes 10xxxxxx, which begin no character */

    for (uint64_t w; i + sizeof w <= len; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        rest += ((w & ~(w << 1)) >> 7 & ones) * ones >> 56;
    }
    for (; i < len; i++)
        rest += ((unsigned char)p[i] & 0xc0) == 0x80;
    return len - rest;
}

uint32_t zt_char_at(const char *p, size_t len, size_t *ret_n)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t n = s[0] < 0xc0 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    if (n > len)
        n = len;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    *ret_n = n;
    return c;
}

bool zt_char_is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* ---- strings -------------------------------------------------------------------------------- */

struct zt_str *zt_str_new(struct zt_env *e, const char *p, size_t len, bool trusted)
{
    struct zt_str *s = zt_alloc(e, 1, sizeof *s);

    *s = (struct zt_str){.p = p, .len = len, .chars = zt_count_chars(p, len), .trusted = trusted};
    return s;
}

const struct zt_str *zt_str_of(struct zt_env *e, const char *literal, bool trusted)
{
    return zt_str_new(e, literal, strlen(literal), trusted);
}

struct zt_val zt_text_of(struct zt_env *e, const char *literal, bool trusted)
{
    return zt_of_str(zt_str_of(e, literal, trusted));
}

const struct zt_str *zt_str_sub(struct zt_env *e, const struct zt_str *s, size_t off, size_t len)
{
    if (len == s->len)
        return s;
    struct zt_str *sub = zt_alloc(e, 1, sizeof *sub);
    *sub = *s;
    sub->tail = NULL;
    sub->p += off;
    sub->len = len;
    sub->mask = s->mask ? s->mask + off : NULL;
    sub->chars = s->chars == s->len ? len : zt_count_chars(sub->p, len);
    return sub;
}

const struct zt_str *zt_str_markup(struct zt_env *e, const struct zt_str *s, bool markup)
{
    if (s->markup == markup)
        return s;
    struct zt_str *t = zt_alloc(e, 1, sizeof *t);
    *t = *s;
    t->markup = markup;
    return t;
}

const struct zt_str *zt_str_concat(struct zt_env *e, const struct zt_str *a, const struct zt_str *b)
{
    struct zt_sb *sb = a->tail;
    struct zt_str *s = zt_alloc(e, 1, sizeof *s);

    if (!sb || sb->p != a->p || sb->len != a->len) {
        sb = zt_alloc(e, 1, sizeof *sb);
        zt_sb_init(sb, e);
        zt_sb_add_str(sb, a);
    }
    zt_sb_add_str(sb, b);
    *s = (struct zt_str){.p = sb->p ? sb->p : "",
                         .mask = sb->mask,
                         .len = sb->len,
                         .tail = sb,
                         .chars = a->chars + b->chars,
                         .trusted = sb->len == 0 || sb->trusted};
    return s;
}

const struct zt_str *zt_str_escape(struct zt_env *e, const struct zt_str *s)
{
    static const char special[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct zt_sb sb;

    if (s->markup)
        return s;
    zt_sb_init(&sb, e);
    for (size_t i = 0; i < s->len; i++) {
        const char *at = s->p[i] ? strchr(special, s->p[i]) : NULL;
        if (at)
            zt_sb_adds(&sb, names[at - special], zt_str_is_trusted_at(s, i));
        else
            zt_sb_add_sub(&sb, s, i, 1);
    }
    return zt_str_markup(e, zt_sb_take(&sb), true);
}

bool zt_str_is(const struct zt_str *s, const char *literal)
{
    return strlen(literal) == s->len && memcmp(s->p, literal, s->len) == 0;
}

char *zt_c_string(struct zt_env *e, const struct zt_str *s)
{
    char *p = grow(e, NULL, 0, s->len + 1);

    memcpy(p, s->p, s->len);
    p[s->len] = '\0';
    return p;
}

int zt_str_cmp(const struct zt_str *a, const struct zt_str *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->p, b->p, n) : 0;

    return c ? c : (a->len > b->len) - (a->len < b->len);
}

bool zt_str_is_trusted_at(const struct zt_str *s, size_t i)
{
    return s->mask ? s->mask[i] : s->trusted;
}

size_t zt_str_offset(const struct zt_str *s, size_t i)
{
    size_t off = 0;

    if (i >= s->chars)
        return s->len;
    if (s->chars == s->len)
        return i;
    for (; off < s->len; off++)
        if (((unsigned char)s->p[off] & 0xc0) != 0x80 && i-- == 0)
            break;
    return off;
}

/* ---- growing text --------------------------------------------------------------------------- */

void zt_sb_init(struct zt_sb *b, struct zt_env *e)
{
    *b = (struct zt_sb){.e = e};
}

/* Room for n more bytes. */
static void sb_reserve(struct zt_sb *b, size_t n)
{
    if (n > b->e->max)
        zt_fail_err(b->e, ZC_ELIMIT, "the template needs too much memory");
    if (b->len + n > b->cap) {
        size_t cap = b->cap * 2 > b->len + n ? b->cap * 2 : b->len + n;
        b->p = grow(b->e, b->p, b->cap, cap);
        b->cap = cap;
    }
    if (b->mask && b->len + n > b->mask_cap) {
        b->mask = (uint8_t *)grow(b->e, (char *)b->mask, b->mask_cap, b->cap);
        b->mask_cap = b->cap;
    }
}

static void sb_want_mask(struct zt_sb *b)
{
    if (b->mask)
        return;
    b->mask = (uint8_t *)grow(b->e, NULL, 0, b->cap);
    b->mask_cap = b->cap;
    memset(b->mask, b->trusted, b->len);
}

void zt_sb_add(struct zt_sb *b, const char *p, size_t len, bool trusted)
{
    if (len == 0)
        return;
    sb_reserve(b, len);
    if (b->len == 0)
        b->trusted = trusted;
    else if (trusted != b->trusted)
        sb_want_mask(b);
    memcpy(b->p + b->len, p, len);
    if (b->mask)
        memset(b->mask + b->len, trusted, len);
    b->len += len;
}

void zt_sb_add_sub(struct zt_sb *b, const struct zt_str *s, size_t off, size_t len)
{
    if (!s->mask || len == 0) {
        zt_sb_add(b, s->p + off, len, s->trusted);
        return;
    }
    sb_reserve(b, len);
    sb_want_mask(b);
    memcpy(b->p + b->len, s->p + off, len);
    memcpy(b->mask + b->len, s->mask + off, len);
    b->len += len;
}

void zt_sb_add_str(struct zt_sb *b, const struct zt_str *s)
{
    zt_sb_add_sub(b, s, 0, s->len);
}

void zt_sb_adds(struct zt_sb *b, const char *literal, bool trusted)
{
    zt_sb_add(b, literal, strlen(literal), trusted);
}

void zt_sb_addf(struct zt_sb *b, bool trusted, const char *fmt, ...)
{
    char text[512]; /* enough for the longest double with %f */
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    zt_sb_add(b, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, trusted);
}

void zt_sb_add_char(struct zt_sb *b, uint32_t c, bool trusted)
{
    char u[4] = {(char)c};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n; n > 1 && i-- > 0; c >>= 6)
        u[i] = (char)(i ? 0x80 | (c & 0x3f) : (0xf00u >> n & 0xf0) | c);
    zt_sb_add(b, u, n, trusted);
}

void zt_sb_pad(struct zt_sb *b, size_t n, const struct zt_str *fill)
{
    for (size_t i = 0; i < n; i++) {
        zt_step(b->e, 1);
        zt_sb_add_str(b, fill);
    }
}

const struct zt_str *zt_sb_take(struct zt_sb *b)
{
    struct zt_str *s = zt_str_new(b->e, b->p ? b->p : "", b->len, b->len == 0 || b->trusted);

    s->mask = b->mask;
    zt_sb_init(b, b->e);
    return s;
}

struct zt_val zt_sb_take_val(struct zt_sb *b)
{
    return zt_of_str(zt_sb_take(b));
}

/* ---- lists and dicts ------------------------------------------------------------------------ */

struct zt_list *zt_list_new(struct zt_env *e, size_t cap)
{
    struct zt_list *l = zt_alloc(e, 1, sizeof *l);

    l->v = zt_alloc(e, cap, sizeof *l->v);
    l->cap = cap;
    return l;
}

void zt_list_add(struct zt_env *e, struct zt_list *l, struct zt_val v)
{
    if (l->n == l->cap) {
        struct zt_val *old = l->v;
        l->cap = l->cap ? l->cap * 2 : 8;
        l->v = zt_alloc(e, l->cap, sizeof *l->v);
        if (l->n)
            memcpy(l->v, old, l->n * sizeof *old);
    }
    l->v[l->n++] = v;
}

struct zt_val zt_tuple2(struct zt_env *e, struct zt_val a, struct zt_val b)
{
    struct zt_list *l = zt_list_new(e, 2);

    zt_list_add(e, l, a);
    zt_list_add(e, l, b);
    return zt_of_list(ZT_TUPLE, l);
}

struct zt_val zt_args_tuple(struct zt_env *e, const struct zt_args *a)
{
    struct zt_list *l = zt_list_new(e, (size_t)a->n);

    for (int i = 0; i < a->n; i++)
        zt_list_add(e, l, a->v[i]);
    return zt_of_list(ZT_TUPLE, l);
}

struct zt_dict *zt_dict_new(struct zt_env *e)
{
    return zt_alloc(e, 1, sizeof(struct zt_dict));
}

/* Equal values have equal hashes: 1, 1.0 and True are one key. false: cannot be a key. */
static bool hash(struct zt_env *e, struct zt_val k, uint64_t *h)
{
    const struct zt_list *l = k.u.l;

    switch (k.kind) {
    case ZT_STR:
        for (size_t i = 0; i < k.u.s->len; i++)
            *h = (*h ^ (unsigned char)k.u.s->p[i]) * 0x100000001b3;
        break;
    case ZT_BOOL:
    case ZT_INT:
        *h ^= k.kind == ZT_BOOL ? k.u.b : (uint64_t)k.u.i;
        break;
    case ZT_FLOAT:
        if (k.u.f >= -0x1p62 && k.u.f <= 0x1p62)
            *h ^= (uint64_t)(int64_t)k.u.f;
        break;
    case ZT_TUPLE:
        for (size_t i = 0; i < l->n; i++, *h *= 0x100000001b3)
            if (!hash(e, l->v[i], h))
                return false;
        break;
    case ZT_LIST:
    case ZT_DICT:
        return false;
    default:
        break; /* equal only to itself or its kind: rare as keys */
    }
    *h = (*h ^ *h >> 32) * 0x9e3779b97f4a7c15;
    *h ^= *h >> 29;
    return true;
}

enum { SMALL_DICT = 8 };

/* The place of k in the index: where it is, or the free one where it belongs. */
static size_t probe(struct zt_env *e, const struct zt_dict *d, struct zt_val k, uint64_t h)
{
    size_t i = h & (d->n_index - 1);

    while (d->index[i] && !zt_is_equal(e, d->e[d->index[i] - 1].k, k)) {
        zt_step(e, 1);
        i = (i + 1) & (d->n_index - 1);
    }
    return i;
}

static struct zt_pair *find(struct zt_env *e, const struct zt_dict *d, struct zt_val k)
{
    uint64_t h = 0;

    if (d->index) {
        uint32_t i = hash(e, k, &h) ? d->index[probe(e, d, k, h)] : 0;
        return i ? &d->e[i - 1] : NULL;
    }
    for (size_t i = 0; i < d->n; i++)
        if (zt_is_equal(e, d->e[i].k, k))
            return &d->e[i];
    return NULL;
}

static void reindex(struct zt_env *e, struct zt_dict *d)
{
    d->n_index = d->cap * 2;
    d->index = zt_alloc(e, d->n_index, sizeof *d->index);
    for (size_t i = 0; i < d->n; i++) {
        uint64_t h = 0;
        hash(e, d->e[i].k, &h);
        d->index[probe(e, d, d->e[i].k, h)] = (uint32_t)i + 1;
    }
}

void zt_dict_set(struct zt_env *e, struct zt_dict *d, struct zt_val k, struct zt_val v)
{
    uint64_t h = 0;

    if (k.kind != ZT_STR && !hash(e, k, &h))
        zt_fail(e, "%s cannot be a key", zt_type_name(k));
    struct zt_pair *at = find(e, d, k);
    if (at) {
        at->v = v;
        return;
    }
    if (d->n == d->cap) {
        struct zt_pair *old = d->e;
        d->cap = d->cap ? d->cap * 2 : SMALL_DICT;
        d->e = zt_alloc(e, d->cap, sizeof *d->e);
        if (d->n)
            memcpy(d->e, old, d->n * sizeof *old);
        if (d->cap > SMALL_DICT)
            reindex(e, d);
    }
    d->e[d->n++] = (struct zt_pair){k, v};
    if (d->index) {
        h = 0;
        hash(e, k, &h);
        d->index[probe(e, d, k, h)] = (uint32_t)d->n;
    }
}

const struct zt_val *zt_dict_get(struct zt_env *e, const struct zt_dict *d, struct zt_val k)
{
    struct zt_pair *at = find(e, d, k);

    return at ? &at->v : NULL;
}

/* ---- from JSON ------------------------------------------------------------------------------ */

/* Everything behind here relies on valid UTF-8. */
static void check_utf8(struct zt_env *e, const char *p, size_t len)
{
    if (zc_utf8_valid(p, len) != len)
        zt_fail_err(e, ZC_EFORMAT, "the variables are not valid UTF-8");
}

static struct zt_val dict_of_json(struct zt_env *e, json_t *j, bool trusted)
{
    struct zt_dict *d = zt_dict_new(e);
    const char *key;
    json_t *item;

    json_object_foreach (j, key, item) {
        check_utf8(e, key, strlen(key));
        zt_dict_set(e, d, zt_text_of(e, key, trusted), zt_of_json(e, item, trusted));
    }
    return zt_of_dict(ZT_DICT, d);
}

struct zt_val zt_of_json(struct zt_env *e, json_t *j, bool trusted)
{
    struct zt_val v = zt_none();

    zt_enter(e);
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        v = dict_of_json(e, j, trusted);
        break;
    case JSON_ARRAY:
        v = zt_of_list(ZT_LIST, zt_list_new(e, json_array_size(j)));
        for (size_t i = 0; i < json_array_size(j); i++)
            zt_list_add(e, v.u.l, zt_of_json(e, json_array_get(j, i), trusted));
        break;
    case JSON_STRING:
        check_utf8(e, json_string_value(j), json_string_length(j));
        v = zt_of_str(zt_str_new(e, json_string_value(j), json_string_length(j), trusted));
        break;
    case JSON_INTEGER:
        v = zt_int(json_integer_value(j), trusted);
        break;
    case JSON_REAL:
        v = zt_float(json_real_value(j), trusted);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v = zt_bool(json_is_true(j));
        break;
    case JSON_NULL:
        break;
    }
    zt_leave(e);
    return v;
}

/* ---- from JSON text ------------------------------------------------------------------------- */

_Noreturn static void fail_json(struct zt_env *e, int err)
{
    zt_fail_err(e, err == ZC_ENOMEM ? err : ZC_EFORMAT,
                err == ZC_ENOMEM ? "out of memory" : "the variables are not valid JSON");
}

static struct zt_val text_string(struct zt_env *e, struct zt_json *j)
{
    int r = zt_json_string(j, &e->scratch);
    if (r < 0)
        fail_json(e, r);
    size_t len = e->scratch.len;
    return zt_of_str(zt_str_new(
        e, zt_c_string(e, &(struct zt_str){.p = zc_buf_str(&e->scratch), .len = len}), len, false));
}

static struct zt_val text_scalar(struct zt_env *e, struct zt_json *j)
{
    const char *start = j->p;
    char *end;

    if (zt_json_skip(j) < 0 || j->p == start)
        fail_json(e, ZC_EFORMAT);
    const struct zt_str *s = zt_str_new(e, start, (size_t)(j->p - start), false);
    const char *text = zt_c_string(e, s);
    if (zt_str_is(s, "null"))
        return zt_none();
    if (zt_str_is(s, "true") || zt_str_is(s, "false"))
        return zt_bool(s->len == 4);
    errno = 0;
    long long i = strtoll(text, &end, 10);
    if (*end == '\0' && errno == ERANGE)
        return (struct zt_val){.kind = ZT_BIG, .u.s = s};
    if (*end == '\0')
        return zt_int(i, false);
    double f = strtod(text, &end);
    if (*end != '\0' || !strchr("-0123456789", text[0]))
        fail_json(e, ZC_EFORMAT);
    return zt_float(f, false);
}

static struct zt_val text_value(struct zt_env *e, struct zt_json *j)
{
    struct zt_val v;
    int first = 1, more, c = zt_json_peek(j);

    if (c == '"')
        return text_string(e, j);
    if (c != '{' && c != '[')
        return text_scalar(e, j);
    zt_enter(e);
    v = c == '{' ? zt_of_dict(ZT_DICT, zt_dict_new(e)) : zt_of_list(ZT_LIST, zt_list_new(e, 4));
    zt_json_enter(j, (char)c);
    while ((more = zt_json_next(j, c == '{' ? '}' : ']', &first)) > 0) {
        if (c == '{') {
            struct zt_val key = text_string(e, j);
            if (zt_json_peek(j) != ':')
                fail_json(e, ZC_EFORMAT);
            j->p++;
            zt_dict_set(e, v.u.d, key, text_value(e, j));
        } else {
            zt_list_add(e, v.u.l, text_value(e, j));
        }
    }
    if (more < 0)
        fail_json(e, ZC_EFORMAT);
    zt_leave(e);
    return v;
}

struct zt_val zt_of_json_text(struct zt_env *e, const char *text, size_t len)
{
    struct zt_json j;

    check_utf8(e, text, len);
    zt_json_init(&j, text, len, NULL);
    struct zt_val v = text_value(e, &j);
    if (zt_json_end(&j) < 0 || v.kind != ZT_DICT)
        fail_json(e, ZC_EFORMAT);
    return v;
}
