/* SPDX-License-Identifier: MIT */
/* The quant_state of a bitsandbytes matrix. What is accepted has a block that divides evenly,
 * sides, and both levels of scales in range; what is not says why. */
#include "config.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/zc_err.h"
#include "zoracd/weights/zw_bnb.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int is_block(int n)
{
    return n >= 32 && n <= 4096 && (n & (n - 1)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct zc_diag dg = {""};
    struct zw_bnb b;
    int r = zw_bnb_parse(&b, (const char *)p, n, &dg);

    if (r < 0 && !dg.text[0])
        abort();
    if (r == ZC_OK &&
        (n > ZW_BNB_MAX_STATE || !is_block(b.block) || b.n == 0 || b.k == 0 || b.type > ZK_BF16 ||
         !isfinite(b.nested_offset) || (b.nested_block != 0 && !is_block(b.nested_block))))
        abort();
    return 0;
}
