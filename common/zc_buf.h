/* SPDX-License-Identifier: MIT */
/* Growable bytes with a hard maximum: the only byte builder. Invariants a caller may rely on:
 * data is NULL or holds len bytes and a terminating NUL that is not counted; len <= max.
 * A buffer that has gone over its maximum (or had no memory) keeps what it had, refuses every
 * further append, and says so from zc_buf_error: a writer may append freely and check once. */
#ifndef COMMON_ZC_BUF_H
#define COMMON_ZC_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct zc_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    int error; /* ZC_OK, ZC_ELIMIT or ZC_ENOMEM; sticky until zc_buf_clear */
};

/* An empty buffer of at most max bytes; allocates nothing. */
void zc_buf_init(struct zc_buf *b, size_t max);
/* Frees the contents; the buffer is as after zc_buf_init. */
void zc_buf_release(struct zc_buf *b);
/* Empties it and keeps the memory; clears the error. */
void zc_buf_clear(struct zc_buf *b);

/* Each returns ZC_OK or the sticky error. */
int zc_buf_add(struct zc_buf *b, const void *p, size_t n);
int zc_buf_addc(struct zc_buf *b, char c);
int zc_buf_adds(struct zc_buf *b, const char *s);
int zc_buf_addf(struct zc_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes without another allocation. */
int zc_buf_reserve(struct zc_buf *b, size_t n);

/* Removes n bytes from the front. */
void zc_buf_drain(struct zc_buf *b, size_t n);
/* Shortens to len. */
void zc_buf_truncate(struct zc_buf *b, size_t len);

int zc_buf_error(const struct zc_buf *b);
/* The bytes as a C string, "" when empty. Borrowed until the next append. */
const char *zc_buf_str(const struct zc_buf *b);
/* Hands the bytes over (never NULL, free with zc_free), leaving the buffer empty. */
char *zc_buf_take(struct zc_buf *b, size_t *ret_len);

#endif
