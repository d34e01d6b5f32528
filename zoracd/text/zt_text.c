/* SPDX-License-Identifier: MIT */
/* Bytes with trusted and untrusted spans, and lists of token ids. Any thread, one owner. */
#include "zoracd/text/zt_text.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

/* Doubles an array; its size came from outside. */
static int grow(void **array, size_t *cap, size_t size)
{
    size_t n = *cap ? *cap * 2 : 64;
    void *p;

    int r = zc_try_malloc(&p, n, size, SIZE_MAX / 2);
    if (r < 0)
        return r;
    if (*cap)
        memcpy(p, *array, *cap * size);
    zc_free(*array);
    *array = p;
    *cap = n;
    return ZC_OK;
}

void zt_text_init(struct zt_text *t, size_t max)
{
    *t = (struct zt_text){0};
    zc_buf_init(&t->buf, max);
}

void zt_text_release(struct zt_text *t)
{
    size_t max = t->buf.max;

    zc_buf_release(&t->buf);
    zc_free(t->spans);
    zt_text_init(t, max);
}

void zt_text_clear(struct zt_text *t)
{
    zc_buf_clear(&t->buf);
    t->n_spans = 0;
}

int zt_text_add(struct zt_text *t, const char *p, size_t n, bool trusted)
{
    size_t off = t->buf.len;

    if (n == 0)
        return zc_buf_error(&t->buf);
    int r = zc_buf_add(&t->buf, p, n);
    if (r < 0)
        return r;
    if (t->n_spans && t->spans[t->n_spans - 1].trusted == trusted) {
        t->spans[t->n_spans - 1].len += n;
        return ZC_OK;
    }
    if (t->n_spans == t->cap_spans) {
        r = grow((void **)&t->spans, &t->cap_spans, sizeof *t->spans);
        if (r < 0) {
            zc_buf_truncate(&t->buf, off);
            return r;
        }
    }
    t->spans[t->n_spans++] = (struct zt_span){.off = off, .len = n, .trusted = trusted};
    return ZC_OK;
}

void zt_text_truncate(struct zt_text *t, size_t len)
{
    zc_buf_truncate(&t->buf, len);
    while (t->n_spans && t->spans[t->n_spans - 1].off >= len)
        t->n_spans--;
    if (t->n_spans)
        t->spans[t->n_spans - 1].len = len - t->spans[t->n_spans - 1].off;
}

int zt_text_copy(struct zt_text *t, const struct zt_text *from, size_t off, size_t len)
{
    while (len > 0) {
        bool trusted;
        size_t run = zt_text_run(from, off, len, &trusted);
        int r = zt_text_add(t, from->buf.data + off, run, trusted);
        if (r < 0)
            return r;
        off += run;
        len -= run;
    }
    return ZC_OK;
}

/* The span that holds byte off, which is in the text. */
static const struct zt_span *span_of(const struct zt_text *t, size_t off)
{
    size_t lo = 0, hi = t->n_spans;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->spans[mid].off <= off)
            lo = mid;
        else
            hi = mid;
    }
    return &t->spans[lo];
}

bool zt_text_is_trusted(const struct zt_text *t, size_t off, size_t len)
{
    if (off >= t->buf.len)
        return false;
    const struct zt_span *s = span_of(t, off);
    return s->trusted && off + len <= s->off + s->len;
}

size_t zt_text_run(const struct zt_text *t, size_t off, size_t len, bool *ret_trusted)
{
    const struct zt_span *s = span_of(t, off);
    size_t left = s->off + s->len - off;

    *ret_trusted = s->trusted;
    return left < len ? left : len;
}

void zt_ids_init(struct zt_ids *ids, size_t max)
{
    *ids = (struct zt_ids){.max = max};
}

void zt_ids_release(struct zt_ids *ids)
{
    zc_free(ids->data);
    zt_ids_init(ids, ids->max);
}

int zt_ids_add(struct zt_ids *ids, int32_t id)
{
    if (ids->len == ids->max)
        return ZC_ELIMIT;
    if (ids->len == ids->cap) {
        int r = grow((void **)&ids->data, &ids->cap, sizeof *ids->data);
        if (r < 0)
            return r;
    }
    ids->data[ids->len++] = id;
    return ZC_OK;
}
