/* SPDX-License-Identifier: MIT */
/* Host memory. zc_x*: small sizes of our own, which cannot fail (the process ends, naming the
 * size). zc_try_*: any size that came from outside, against an explicit limit. Any thread. */
#ifndef COMMON_ZC_MEM_H
#define COMMON_ZC_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_diag;

/* Uninitialised, zeroed, resized; a size of zero is a bug. Free with zc_free. */
void *zc_xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *zc_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *zc_xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *zc_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *zc_xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *zc_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* n * size bytes into *ret_p; ZC_ELIMIT if the product overflows or is over max_bytes, ZC_ENOMEM
 * if the system has no such memory. A product of zero gives a pointer that can be freed. */
int zc_try_malloc(void **ret_p, size_t n, size_t size, size_t max_bytes);
int zc_try_calloc(void **ret_p, size_t n, size_t size, size_t max_bytes);

/* Accepts NULL. */
void zc_free(void *p);

/* Whether a * b fits, and the product. */
bool zc_mul_ok(size_t a, size_t b, size_t *ret_product);
bool zc_add_ok(size_t a, size_t b, size_t *ret_sum);

/* Tests: the n-th zc_try_* from now on fails with ZC_ENOMEM (1 = the next); 0 turns it off.
 * Returns how many calls were left when it was turned off or replaced. Calling thread only. */
long zc_mem_fail_at(long n);

/* Debug builds (ZC_DEBUG): while on, every allocation of this thread is a bug: a decode step
 * allocates nothing. */
void zc_mem_guard(bool on);

#endif
