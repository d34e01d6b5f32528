/* SPDX-License-Identifier: MIT */
/* One decoder step, and what follows from it. */
#include "common/zc_utf8.h"

#include <stdint.h>

int zc_utf8_next(const char *s, size_t n, bool *ret_cut)
{
    const uint8_t *p = (const uint8_t *)s;
    uint8_t lo = 0x80, hi = 0xbf; /* of the second byte: table 3-7 */
    int want;

    if (ret_cut)
        *ret_cut = false;
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
        if ((size_t)i == n) {
            if (ret_cut)
                *ret_cut = true;
            return -i;
        }
        if (p[i] < lo || p[i] > hi)
            return -i;
        lo = 0x80;
        hi = 0xbf;
    }
    return want;
}

bool zc_utf8_is_valid(const char *p, size_t n)
{
    while (n > 0) {
        int len = zc_utf8_next(p, n, NULL);
        if (len < 0)
            return false;
        p += len;
        n -= (size_t)len;
    }
    return true;
}
