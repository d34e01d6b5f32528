/* SPDX-License-Identifier: MIT */
/* UTF-8 beyond the verdict of zc_utf8.h: code points, cut ends, replacement. */
#include "zoracd/text/zt_utf8.h"

#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_utf8.h"

int zt_utf8_step(const char *p, size_t n)
{
    bool is_cut = false;

    if (!(p[0] & 0x80))
        return 1;
    int len = zc_utf8_next(p, n, &is_cut);
    return is_cut ? 0 : len;
}

int zt_utf8_get(const char *p, uint32_t *ret_cp)
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

int zt_utf8_put(char *p, uint32_t cp)
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

bool zt_utf8_is_space(uint32_t cp)
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

size_t zt_utf8_valid(const char *p, size_t n)
{
    size_t i = 0;

    for (;;) {
        i = skip_ascii(p, n, i);
        if (i == n)
            return n;
        int len = zt_utf8_step(p + i, n - i);
        if (len <= 0)
            return i;
        i += (size_t)len;
    }
}

int zt_utf8_lossy(struct zc_buf *out, const char *p, size_t n)
{
    for (;;) {
        size_t ok = zt_utf8_valid(p, n);
        zc_buf_add(out, p, ok);
        if (ok == n)
            return zc_buf_error(out);
        p += ok;
        n -= ok;
        int len = zt_utf8_step(p, n);
        int r = zc_buf_add(out, ZT_UTF8_REPLACEMENT, 3);
        if (r < 0 || len == 0)
            return r;
        p += -len;
        n -= (size_t)-len;
    }
}

size_t zt_utf8_tail(const char *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        if ((p[n - back] & 0xc0) == 0x80)
            continue;
        return zt_utf8_step(p + n - back, back) == 0 ? back : 0;
    }
    return 0;
}
