/* SPDX-License-Identifier: MIT */
/* What this processor can do, and the mask that forces it down. A capability counts only if this
 * build has kernels for it. */
#include "config.h"

#include "kernels/zk.h"

#ifdef HAVE_AVX2
#include <cpuid.h>
#endif
#include <string.h>

#include "common/zc_err.h"

/* Each name with everything below it that its kernels build on, rising. */
static const struct {
    const char *name;
    unsigned caps;
} levels[] = {
    {"none", 0},
    {"portable", ZK_CAP_PORTABLE},
    {"avx2", ZK_CAP_PORTABLE | ZK_CAP_AVX2},
    {"avx512", ZK_CAP_PORTABLE | ZK_CAP_AVX2 | ZK_CAP_AVX512},
};
#define N_LEVELS (sizeof levels / sizeof levels[0])

#ifdef HAVE_AVX2
/* Asked of the processor itself: clang before 15 does not know the name. Whether the system saves
 * the registers, AVX2 has answered. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

unsigned zk_caps_detect(void)
{
    unsigned caps = ZK_CAP_PORTABLE;

#ifdef HAVE_AVX2
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
        caps |= ZK_CAP_AVX2;
#endif
#ifdef HAVE_AVX512
    if ((caps & ZK_CAP_AVX2) && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
        caps |= ZK_CAP_AVX512;
#endif
    return caps;
}

int zk_caps_parse(const char *list, unsigned *ret_caps, struct zc_diag *dg)
{
    unsigned caps = 0;

    for (const char *p = list;;) {
        size_t n = strcspn(p, ","), i = 0;
        while (i < N_LEVELS && (strlen(levels[i].name) != n || strncmp(levels[i].name, p, n) != 0))
            i++;
        if (i == N_LEVELS)
            return zc_diag(dg, ZC_EINVAL, "caps: \"%.*s\" is none of none, portable, avx2, avx512",
                           (int)n, p);
        caps |= levels[i].caps;
        if (p[n] == '\0')
            break;
        p += n + 1;
    }
    *ret_caps = caps;
    return ZC_OK;
}

const char *zk_caps_name(unsigned caps)
{
    size_t best = 0;

    for (size_t i = 0; i < N_LEVELS; i++)
        if ((caps & levels[i].caps) == levels[i].caps)
            best = i;
    return levels[best].name;
}
