/* SPDX-License-Identifier: MIT */
/* Growable bytes with a hard maximum. Any thread, one owner. */
#include "common/zc_buf.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

void zc_buf_init(struct zc_buf *b, size_t max)
{
    *b = (struct zc_buf){.max = max};
}

void zc_buf_release(struct zc_buf *b)
{
    zc_free(b->data);
    zc_buf_init(b, b->max);
}

void zc_buf_clear(struct zc_buf *b)
{
    b->len = 0;
    b->error = ZC_OK;
    if (b->data)
        b->data[0] = '\0';
}

int zc_buf_reserve(struct zc_buf *b, size_t n)
{
    if (b->error)
        return b->error;
    if (n > b->max - b->len)
        return b->error = ZC_ELIMIT;
    if (b->cap > b->len + n)
        return ZC_OK;
    size_t cap = b->cap ? b->cap : 64;
    while (cap <= b->len + n)
        cap += cap / 2 + 1;
    if (cap > b->max + 1)
        cap = b->max + 1;
    void *p;
    if (zc_try_malloc(&p, cap, 1, b->max + 1) < 0)
        return b->error = ZC_ENOMEM;
    if (b->len)
        memcpy(p, b->data, b->len);
    zc_free(b->data);
    b->data = p;
    b->data[b->len] = '\0';
    b->cap = cap;
    return ZC_OK;
}

int zc_buf_add(struct zc_buf *b, const void *p, size_t n)
{
    int r = zc_buf_reserve(b, n);
    if (r < 0 || n == 0)
        return r;
    memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
    return ZC_OK;
}

int zc_buf_addc(struct zc_buf *b, char c)
{
    return zc_buf_add(b, &c, 1);
}

int zc_buf_adds(struct zc_buf *b, const char *s)
{
    return zc_buf_add(b, s, strlen(s));
}

int zc_buf_addf(struct zc_buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return b->error = ZC_EINTERNAL;
    int r = zc_buf_reserve(b, (size_t)n);
    if (r < 0)
        return r;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return ZC_OK;
}

void zc_buf_drain(struct zc_buf *b, size_t n)
{
    ZC_BUG_ON(n > b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    zc_buf_truncate(b, b->len - n);
}

void zc_buf_truncate(struct zc_buf *b, size_t len)
{
    ZC_BUG_ON(len > b->len);
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

int zc_buf_error(const struct zc_buf *b)
{
    return b->error;
}

const char *zc_buf_str(const struct zc_buf *b)
{
    return b->data ? b->data : "";
}

char *zc_buf_take(struct zc_buf *b, size_t *ret_len)
{
    char *p = b->data ? b->data : zc_xstrdup("");
    if (ret_len)
        *ret_len = b->len;
    zc_buf_init(b, b->max);
    return p;
}
