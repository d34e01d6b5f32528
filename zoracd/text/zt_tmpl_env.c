/* SPDX-License-Identifier: MIT */
/* The arena that a compilation or a rendering lives in, and the one way to fail. */
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

/* Chunks grow, so that a rendering soon needs one only, the one that the
 * rendering before it has left. */
void *zt_alloc_raw(struct zt_env *e, size_t bytes)
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

void zt_give_back(struct zt_env *e, const uint32_t *end, uint32_t *to)
{
    if ((const char *)end == e->at)
        e->at = (char *)to;
}

void *zt_alloc(struct zt_env *e, size_t n, size_t size)
{
    size_t bytes;

    if (!zc_mul_ok(n, size, &bytes))
        fail_memory(e, ZC_ELIMIT);
    return memset(zt_alloc_raw(e, bytes), 0, bytes);
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
