/* SPDX-License-Identifier: MIT */
/* "The largest values until their weights reach so much", without sorting: a radix select on the
 * bits of the value, eleven bits at a time, with the weights summed per bucket. Exact: the result
 * is a threshold and how much of what equals it is kept. Any thread. */
#include <string.h>

#include "kernels/zk_draw.h"
#include "zoracd/engine/ze_internal.h"

struct ze_cut ze_cut_find(const float *value, const float *weight, int n, uint64_t mass)
{
    static const struct {
        int shift, bits;
    } level[] = {{21, 11}, {10, 11}, {0, 10}};
    uint64_t sum[1 << 11];
    uint32_t prefix = 0;

    for (int l = 0; l < 3; l++) {
        int above = level[l].shift + level[l].bits;
        uint32_t mask = (1u << level[l].bits) - 1;
        memset(sum, 0, sizeof sum);
        for (int i = 0; i < n; i++) {
            uint32_t key = zk_draw_order(value[i]);
            if (l == 0 || key >> above == prefix)
                sum[key >> level[l].shift & mask] += weight ? zk_draw_units(weight[i]) : 1;
        }
        uint32_t b = mask;
        for (; b > 0 && (sum[b] == 0 || sum[b] < mass); b--)
            mass -= sum[b];
        prefix = prefix << level[l].bits | b;
    }
    return (struct ze_cut){.key = prefix, .rest = (int64_t)mass};
}

bool ze_cut_keeps(struct ze_cut *cut, float value, uint64_t weight)
{
    uint32_t key = zk_draw_order(value);

    if (key != cut->key)
        return key > cut->key;
    bool is_kept = cut->rest > 0;
    cut->rest -= (int64_t)weight;
    return is_kept;
}
