/* SPDX-License-Identifier: MIT */
/* One decoder step, and what follows from it: code points, cut ends, replacement. */
#include "common/zc_utf8.h"

#include <string.h>

#include "common/zc_buf.h"

int zc_utf8_step(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    uint8_t lo = 0x80, hi = 0xbf; /* of the second byte: table 3-7 */
    int want;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        want = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        want = 3;
        lo = p[0] == 0xe0 ? 0xa0 : lo;
        hi = p[0] == 0xed ? 0x9f : hi;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        want = 4;
        lo = p[0] == 0xf0 ? 0x90 : lo;
        hi = p[0] == 0xf4 ? 0x8f : hi;
    } else {
        return -1;
    }
    for (int i = 1; i < want; i++) {
        if ((size_t)i == n)
            return 0;
        if (p[i] < lo || p[i] > hi)
            return -i;
        lo = 0x80;
        hi = 0xbf;
    }
    return want;
}

int zc_utf8_get(const char *p, uint32_t *ret_cp)
{
    const unsigned char *u = (const unsigned char *)p;

    if (u[0] < 0x80) {
        *ret_cp = u[0];
        return 1;
    }
    if (u[0] < 0xe0) {
        *ret_cp = (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
        return 2;
    }
    if (u[0] < 0xf0) {
        *ret_cp = (uint32_t)(u[0] & 0xf) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
        return 3;
    }
    *ret_cp = (uint32_t)(u[0] & 7) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
              (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
    return 4;
}

int zc_utf8_put(char *p, uint32_t cp)
{
    if (cp < 0x80) {
        p[0] = (char)cp;
        return 1;
    }
    int len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--, cp >>= 6)
        p[i] = (char)(0x80 | (cp & 0x3f));
    p[0] = (char)((0xf00 >> len & 0xff) | cp);
    return len;
}

bool zc_utf8_is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == 32 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
           cp == 0x205f || cp == 0x3000;
}

/* Eight ASCII bytes at a time. */
static size_t skip_ascii(const char *p, size_t n, size_t i)
{
    uint64_t w;

    for (; i + 8 <= n; i += 8) {
        memcpy(&w, p + i, 8);
        if (w & 0x8080808080808080u)
            break;
    }
    while (i < n && !(p[i] & 0x80))
        i++;
    return i;
}

size_t zc_utf8_valid(const char *p, size_t n)
{
    size_t i = 0;

    for (;;) {
        i = skip_ascii(p, n, i);
        if (i == n)
            return n;
        int len = zc_utf8_step(p + i, n - i);
        if (len <= 0)
            return i;
        i += (size_t)len;
    }
}

bool zc_utf8_is_valid(const char *p, size_t n)
{
    return zc_utf8_valid(p, n) == n;
}

int zc_utf8_lossy(struct zc_buf *out, const char *p, size_t n)
{
    for (;;) {
        size_t ok = zc_utf8_valid(p, n);
        zc_buf_add(out, p, ok);
        if (ok == n)
            return zc_buf_error(out);
        p += ok;
        n -= ok;
        int len = zc_utf8_step(p, n);
        int r = zc_buf_add(out, ZC_UTF8_REPLACEMENT, 3);
        if (r < 0 || len == 0)
            return r;
        p += -len;
        n -= (size_t)-len;
    }
}

size_t zc_utf8_tail(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        if ((p[n - back] & 0xc0) == 0x80)
            continue;
        return zc_utf8_step(p + n - back, back) == 0 ? back : 0;
    }
    return 0;
}
