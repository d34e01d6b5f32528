/* SPDX-License-Identifier: MIT */
/* The scanner of messages, cut in two at the first byte's number: cutting changes nothing, and what
 * it lets through msgpack-c takes whole. */
#include <msgpack.h>

#include "common/zc_err.h"
#include "common/zc_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zc_scan_limits lim = {65536, 4096, 65536, ZC_SCAN_MAX_DEPTH};
    struct zc_scan a, b;
    size_t used_a = 0, used_b = 0;

    if (size < 2)
        return 0;
    const char *p = (const char *)data + 1;
    size_t n = size - 1, cut = data[0] < n ? data[0] : n;

    zc_scan_init(&a, &lim);
    zc_scan_init(&b, &lim);
    int ra = zc_scan_feed(&a, p, n, &used_a, NULL);
    int rb = zc_scan_feed(&b, p, cut, &used_b, NULL);
    if (rb == ZC_EAGAIN && (rb = zc_scan_feed(&b, p + cut, n - cut, &used_b, NULL)) == ZC_OK)
        used_b += cut;
    ZC_BUG_ON(ra != rb || used_a != used_b);
    if (ra == ZC_OK) {
        msgpack_unpacked u;
        size_t off = 0;
        msgpack_unpacked_init(&u);
        ZC_BUG_ON(msgpack_unpack_next(&u, p, used_a, &off) != MSGPACK_UNPACK_SUCCESS);
        ZC_BUG_ON(off != used_a);
        msgpack_unpacked_destroy(&u);
    }
    return 0;
}
