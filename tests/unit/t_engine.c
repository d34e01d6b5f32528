/* SPDX-License-Identifier: MIT */
/* What the tests of whole engines share. */
#include "tests/unit/t_engine.h"

#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"

static struct zc_diag dg;

struct ze_opts t_engine_options(const char *dir)
{
    return (struct ze_opts){
        .dir = dir,
        .caps = ZK_CAP_ALL,
        .threads = 1,
        .head_bits = 8,
        .context = 256,
        .max_seqs = 6,
        .prefill_chunk = 32,
        .logit_rows = 64,
        .memory_limit = 1 << 30,
    };
}

struct ze_engine *t_engine_open(const struct ze_opts *o)
{
    struct ze_engine *e = NULL;
    t_assert_err(ze_engine_open(&e, o, NULL, NULL, NULL, &dg), ZC_OK, &dg);
    return e;
}

void t_engine_ids(int32_t *ids, int n, int V, unsigned seed)
{
    uint32_t rng = seed * 2654435761u | 1;
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(t_random(&rng) % (uint32_t)V);
}

struct ze_seq *t_engine_seq(struct ze_engine *e, uint64_t root, const int32_t *ids, int n)
{
    struct ze_seq *s = NULL;
    t_assert_err(ze_seq_new(&s, e, root, ids, (size_t)n, 0, &dg), ZC_OK, &dg);
    return s;
}

void t_engine_run(struct ze_engine *e, struct ze_work *w, int n)
{
    t_assert_err(ze_step(e, w, n, &dg), ZC_OK, &dg);
}
