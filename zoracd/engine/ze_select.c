/* SPDX-License-Identifier: MIT */
/* "The largest values until their weights reach so much", without sorting: a radix select on the
 * bits of the value, eleven bits at a time, with the weights summed per bucket. Exact: the result
 * is a threshold and how much of what equals it is kept. Any thread. */
#include <string.h>

#include "zoracd/engine/ze_internal.h"

/* Rising with the value; the two zeros are one. */
static uint32_t order(float value)
{
    uint32_t u;

    value += 0.0F;
    memcpy(&u, &value, sizeof u);
    return u & 0x80000000 ? ~u : u | 0x80000000;
}

struct ze_cut ze_cut_find(const float *value, const float *weight, int n, double mass)
{
    static const struct {
        int shift, bits;
    } level[] = {{21, 11}, {10, 11}, {0, 10}};
    double sum[1 << 11];
    uint32_t prefix = 0;

    for (int l = 0; l < 3; l++) {
        int above = level[l].shift + level[l].bits;
        uint32_t mask = (1u << level[l].bits) - 1;
        memset(sum, 0, sizeof sum);
        for (int i = 0; i < n; i++) {
            uint32_t key = order(value[i]);
            if (l == 0 || key >> above == prefix)
                sum[key >> level[l].shift & mask] += weight ? weight[i] : 1;
        }
        /* the lowest bucket takes what rounding left over */
        uint32_t b = mask;
        uint32_t last = mask;
        for (; b > 0 && (sum[b] == 0 || sum[b] < mass); b--) {
            mass -= sum[b];
            if (sum[b] > 0)
                last = b;
        }
        if (sum[b] == 0) {
            mass += sum[last];
            b = last;
        }
        prefix = prefix << level[l].bits | b;
    }
    return (struct ze_cut){.key = prefix, .rest = mass};
}

bool ze_cut_keeps(struct ze_cut *cut, float value, float weight)
{
    uint32_t key = order(value);

    if (key != cut->key)
        return key > cut->key;
    bool is_kept = cut->rest > 0 || !cut->used;
    cut->rest -= weight;
    cut->used = true;
    return is_kept;
}
