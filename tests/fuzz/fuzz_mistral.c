/* SPDX-License-Identifier: MIT */
/* Messages and tools in Mistral's own formats. First byte: the version; the rest is JSON text. What
 * is refused is explained; what is taken becomes JSON of as many bytes as the input allows. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "zoracd/text/zt_mistral.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(int version, const json_t *vars, size_t n)
{
    struct zc_diag dg = {""};
    struct zc_buf out;

    /* Each byte may be escaped, and the system prompt stands once. */
    zc_buf_init(&out, 1000 + 200 * n);
    int r = zt_mistral_normalize(version, version >= 13, json_object_get(vars, "messages"),
                                 json_object_get(vars, "tools"), &out, &dg);
    if (r < 0 ? !dg.text[0] || r == ZC_ELIMIT : zc_buf_error(&out) < 0)
        abort();
    /* As reals: integers of any size stay what they are. */
    json_t *again =
        r < 0 ? NULL
              : json_loadb(out.data, out.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    if (r == ZC_OK && !again)
        abort();
    json_decref(again);
    zc_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const int versions[] = {1, 2, 3, 7, 11, 13};
    json_t *vars;

    if (n < 2)
        return 0;
    vars = json_loadb((const char *)p + 1, n - 1, JSON_ALLOW_NUL, NULL);
    check(versions[p[0] % 6], vars, n);
    json_decref(vars);
    return 0;
}
