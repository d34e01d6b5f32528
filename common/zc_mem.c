/* SPDX-License-Identifier: MIT */
/* The allocators of zc_mem.h, with the fail-at-N hook that the loader and parser tests walk. */
#include "config.h"

#include "common/zc_mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"

static _Thread_local long fail_countdown;
#ifdef ZC_DEBUG
static _Thread_local bool guarded;
#endif

static void check_guard(void)
{
#ifdef ZC_DEBUG
    ZC_BUG_ON(guarded);
#endif
}

void zc_mem_guard(bool on)
{
#ifdef ZC_DEBUG
    guarded = on;
#else
    (void)on;
#endif
}

_Noreturn static void out_of_memory(size_t size)
{
    fprintf(stderr, "zorac: out of memory (%zu bytes)\n", size);
    abort();
}

void *zc_xmalloc(size_t size)
{
    ZC_BUG_ON(size == 0);
    check_guard();
    void *p = malloc(size);
    if (!p)
        out_of_memory(size);
    return p;
}

void *zc_xcalloc(size_t n, size_t size)
{
    ZC_BUG_ON(n == 0 || size == 0);
    check_guard();
    void *p = calloc(n, size);
    if (!p)
        out_of_memory(n * size);
    return p;
}

void *zc_xreallocarray(void *p, size_t n, size_t size)
{
    ZC_BUG_ON(n == 0 || size == 0);
    check_guard();
    p = reallocarray(p, n, size);
    if (!p)
        out_of_memory(n);
    return p;
}

char *zc_xstrdup(const char *s)
{
    return zc_xstrndup(s, strlen(s));
}

char *zc_xstrndup(const char *s, size_t n)
{
    char *p = zc_xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *zc_xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *p;

    check_guard();
    va_start(ap, fmt);
    int n = vasprintf(&p, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(strlen(fmt));
    return p;
}

long zc_mem_fail_at(long n)
{
    long left = fail_countdown;
    fail_countdown = n;
    return left;
}

static int try_alloc(void **ret_p, size_t n, size_t size, size_t max_bytes, bool zero)
{
    size_t bytes;

    if (!zc_mul_ok(n, size, &bytes) || bytes > max_bytes)
        return ZC_ELIMIT;
    if (fail_countdown > 0 && --fail_countdown == 0)
        return ZC_ENOMEM;
    check_guard();
    if (bytes == 0)
        bytes = 1;
    void *p = zero ? calloc(1, bytes) : malloc(bytes);
    if (!p)
        return ZC_ENOMEM;
    *ret_p = p;
    return ZC_OK;
}

int zc_try_malloc(void **ret_p, size_t n, size_t size, size_t max_bytes)
{
    return try_alloc(ret_p, n, size, max_bytes, false);
}

int zc_try_calloc(void **ret_p, size_t n, size_t size, size_t max_bytes)
{
    return try_alloc(ret_p, n, size, max_bytes, true);
}

void zc_free(void *p)
{
    free(p);
}

bool zc_mul_ok(size_t a, size_t b, size_t *ret_product)
{
    return !__builtin_mul_overflow(a, b, ret_product);
}

bool zc_add_ok(size_t a, size_t b, size_t *ret_sum)
{
    return !__builtin_add_overflow(a, b, ret_sum);
}
