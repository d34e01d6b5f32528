/* SPDX-License-Identifier: MIT */
/* The engine on the CUDA back-end, on the simulator: steps that are recorded give the bits of those
 * that are not, in any company. $CUDA_PLUGINS names another plug-in: a GPU's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/t_engine.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"

#define LEN   37
#define SEQS  6
#define STEPS 5
#define V     96

static struct zc_diag dg;
static int32_t prompt[SEQS][LEN];
static float want[SEQS][STEPS][V]; /* of the last tokens, each computed alone, nothing recorded */

/* Sequence i is LEN - 3 i tokens long, of which the last STEPS are computed one by one. */
static int length(int i)
{
    return LEN - 3 * i;
}

static struct ze_opts options(const char *dir)
{
    struct ze_opts o = t_engine_options(dir);
    o.backend = "cuda";
    return o;
}

static struct ze_seq *begun(struct ze_engine *e, int i, uint64_t root)
{
    struct ze_seq *s = t_engine_seq(e, root, prompt[i], length(i));
    struct ze_work w = {.seq = s, .n_rows = length(i) - STEPS};
    t_engine_run(e, &w, 1);
    return s;
}

static void compute_alone(struct ze_engine *e)
{
    for (int i = 0; i < SEQS; i++) {
        struct ze_work w = {.seq = begun(e, i, 100), .n_rows = 1, .want_logits = true};
        for (int t = 0; t < STEPS; t++) {
            t_engine_run(e, &w, 1);
            memcpy(want[i][t], w.logits, sizeof want[i][t]);
        }
        ze_seq_free(w.seq);
    }
}

/* n sequences step by step; the ones that `silent` names want no logits of the first step. */
static void compute_together(struct ze_engine *e, int n, unsigned silent, uint64_t root)
{
    struct ze_work w[SEQS];
    for (int i = 0; i < n; i++)
        w[i] = (struct ze_work){.seq = begun(e, i, root), .n_rows = 1};
    for (int t = 0; t < STEPS; t++) {
        for (int i = 0; i < n; i++)
            w[i].want_logits = t > 0 || !(silent >> i & 1);
        t_engine_run(e, w, n);
        for (int i = 0; i < n; i++)
            if (w[i].want_logits)
                ck_assert_msg(memcmp(w[i].logits, want[i][t], sizeof want[i][t]) == 0,
                              "%d together: sequence %d, step %d differs", n, i, t);
    }
    for (int i = 0; i < n; i++)
        ze_seq_free(w[i].seq);
}

static void check_model(const struct t_tiny *tiny)
{
    char *dir = t_tiny_write(tiny);
    struct ze_opts o = options(dir);
    struct ze_engine *e = t_engine_open(&o);

    ck_assert_ptr_null(ze_engine_notice(e));
    ck_assert(ze_engine_zk_dev(e)->can_record);
    ze_engine_zk_dev(e)->can_record = false;
    compute_alone(e);
    ze_engine_zk_dev(e)->can_record = true;
    for (int n = 1; n <= SEQS; n++)
        compute_together(e, n, 0, 200 + (uint64_t)n);
    compute_together(e, 4, 5, 300); /* not all want logits: not recorded, the same */
    ze_engine_free(e);
    t_dir_remove(dir);
}

START_TEST(recorded_steps_give_the_same_bits)
{
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    for (int i = 0; i < SEQS; i++)
        t_engine_ids(prompt[i], LEN, V, (unsigned)i + 7);
    check_model(&tiny);                                 /* attention of any shape */
    tiny.D = 64;                                        /* the kernel for decode */
    tiny.qkv_bias = tiny.o_bias = tiny.mlp_bias = true; /* rows of padding are not all zeros */
    tiny.more = ", \"attention_bias\": true, \"mlp_bias\": true";
    check_model(&tiny);
}
END_TEST

/* Sequence i with a sampler of its own: greedy, everything, and one that only the host can. */
static struct ze_sampler *sampler_of(int i)
{
    struct ze_sampler *s = NULL;
    struct ze_sample_params p;

    ze_sample_params_init(&p);
    p.seed = (uint64_t)i + 1;
    p.temperature = i == 0 ? 0 : 1.5F;
    p.logprobs = i == 2 ? 3 : -1;
    if (i == 1) {
        p.top_k = 50;
        p.top_p = 0.95F;
        p.min_p = 0.01F;
        p.repetition_penalty = 1.2F;
        p.frequency_penalty = 0.4F;
    }
    ck_assert_int_eq(ze_sampler_new(&s, &p, V, prompt[i], (size_t)length(i)), ZC_OK);
    return s;
}

static void check_drawn(struct ze_engine *e, int n, uint64_t root)
{
    struct ze_sampler *s[3], *twin[3];
    struct ze_sampled got, drawn;
    struct ze_work w[3];

    for (int i = 0; i < n; i++) {
        s[i] = sampler_of(i);
        twin[i] = sampler_of(i);
        w[i] = (struct ze_work){.seq = begun(e, i, root), .n_rows = 1, .want_logits = true};
        w[i].sampler = s[i];
    }
    for (uint64_t t = 0; t < STEPS; t++) {
        for (int i = 0; i < n; i++)
            w[i].index = t;
        t_engine_run(e, w, n);
        for (int i = 0; i < n; i++) {
            t_assert_err(ze_sampler_draw(twin[i], want[i][t], t, &got, &dg), ZC_OK, &dg);
            if (i == 2) {
                ck_assert_int_eq(w[i].drawn, -1);
                ck_assert(memcmp(w[i].logits, want[i][t], sizeof want[i][t]) == 0);
                continue;
            }
            ck_assert_ptr_null(w[i].logits);
            ck_assert_int_eq(w[i].drawn, got.id);
            ze_sampler_take(s[i], w[i].drawn, &drawn);
        }
    }
    for (int i = 0; i < n; i++) {
        ze_sampler_free(s[i]);
        ze_sampler_free(twin[i]);
        ze_seq_free(w[i].seq);
    }
}

START_TEST(the_device_draws_in_its_steps)
{
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    for (int i = 0; i < SEQS; i++)
        t_engine_ids(prompt[i], LEN, V, (unsigned)i + 7);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    struct ze_engine *e = t_engine_open(&o);
    ze_engine_zk_dev(e)->can_record = false;
    compute_alone(e);
    check_drawn(e, 3, 200);
    ze_engine_zk_dev(e)->can_record = true;
    for (int n = 1; n <= 3; n++)
        check_drawn(e, n, 300 + (uint64_t)n);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* A GPU whose driver can't: the same bits, and it is said. */
START_TEST(what_cannot_be_recorded_is_said_and_computed)
{
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    for (int i = 0; i < SEQS; i++)
        t_engine_ids(prompt[i], LEN, V, (unsigned)i + 7);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    ck_assert_int_eq(setenv("CUDASIM_FAIL", "capture", 1), 0);
    struct ze_engine *e = t_engine_open(&o);
    ck_assert_ptr_nonnull(ze_engine_notice(e));
    ck_assert_ptr_nonnull(
        strstr(ze_engine_notice(e), "can't be recorded: the recording was broken"));
    ck_assert(!ze_engine_zk_dev(e)->can_record);
    compute_alone(e);
    compute_together(e, 3, 0, 200);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* ---- a prompt's bits, whatever the cuts ---------------------------------------------------- */

#define UNIT    64
#define LONGEST (3 * UNIT)

static int32_t text[LONGEST], company[LONGEST];

/* Computes n tokens of text in steps of `units` whole units (0: all in one go), beside a sequence
 * that decodes if `beside`. The logits of the last token. */
static void prefill(struct ze_engine *e, int n, int units, bool beside, uint64_t root, float *ret)
{
    struct ze_seq *s = t_engine_seq(e, root, text, n);
    struct ze_seq *other = t_engine_seq(e, 7000 + root, company, 20);
    struct ze_work w[2] = {{.seq = s, .is_prompt = true}, {.seq = other, .n_rows = 1}};

    while (ze_seq_computed(s) < (size_t)n) {
        int at = (int)ze_seq_computed(s), to = units ? (at / UNIT + units) * UNIT : n;
        w[0].n_rows = (to < n ? to : n) - at;
        w[0].want_logits = to >= n;
        t_engine_run(e, w, beside ? 2 : 1);
        if (w[0].logits)
            memcpy(ret, w[0].logits, V * sizeof *ret);
    }
    ze_seq_free(s);
    ze_seq_free(other);
}

static void check_prompt(struct ze_engine *e, int n, uint64_t root)
{
    float first[V], got[V];

    prefill(e, n, 0, false, root, first);
    for (int units = 0; units <= 2; units++)
        for (int beside = 0; beside <= 1; beside++) {
            prefill(e, n, units, beside, ++root, got);
            ck_assert_msg(memcmp(got, first, sizeof got) == 0,
                          "%d tokens, %d units a step, %d beside: other bits", n, units, beside);
            prefill(e, n, units, beside, root, got);
            ck_assert_msg(memcmp(got, first, sizeof got) == 0, "%d tokens again: other bits", n);
        }
    /* after one that shares less than a unit of its end */
    if (n % UNIT > ZK_PAGE + 1) {
        prefill(e, n / UNIT * UNIT + ZK_PAGE + 1, 0, false, ++root, got);
        prefill(e, n, 0, true, root, got);
        ck_assert_msg(memcmp(got, first, sizeof got) == 0, "%d tokens, begun before: other bits",
                      n);
    }
}

/* With --strict every cut is free: one row, many, none at a multiple of anything. */
static void check_strict(struct ze_engine *e, int n)
{
    const int cuts[] = {1, 7, 32, 33, 100, LONGEST};
    float first[V];

    ck_assert_int_eq(ze_engine_plan(e)->prefill_unit, 0);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct ze_work w = {.seq = t_engine_seq(e, 50 + i, text, n), .is_prompt = true};
        while (!w.want_logits) {
            const int left = n - (int)ze_seq_computed(w.seq);
            w.n_rows = left < cuts[i] ? left : cuts[i];
            w.want_logits = w.n_rows == left;
            t_engine_run(e, &w, 1);
        }
        if (i == 0)
            memcpy(first, w.logits, sizeof first);
        ck_assert_msg(memcmp(w.logits, first, sizeof first) == 0, "strict, cut at %d: other bits",
                      cuts[i]);
        ze_seq_free(w.seq);
    }
}

START_TEST(a_prompt_has_the_same_bits_whatever_the_cuts)
{
    const int lengths[] = {20, 40, 50, 60, UNIT, UNIT + 1, 2 * UNIT + 40};
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    tiny.D = 64;
    tiny.C = tiny.F =
        256; /* two blocks of columns: each way of multiplying adds in its own order */
    t_engine_ids(text, LONGEST, V, 1);
    t_engine_ids(company, LONGEST, V, 2);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.prefill_chunk = UNIT;
    o.strict = _i;
    struct ze_engine *e = t_engine_open(&o);
    ck_assert_int_eq(ze_engine_plan(e)->prefill_unit, _i ? 0 : UNIT);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_prompt(e, lengths[i], 1000 * (i + 1));
    if (_i)
        check_strict(e, 2 * UNIT + 41);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

static Suite *engine_cuda_suite(void)
{
    Suite *s = suite_create("engine-cuda");
    TCase *t = tcase_create("record");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, recorded_steps_give_the_same_bits);
    tcase_add_test(t, the_device_draws_in_its_steps);
    tcase_add_loop_test(t, a_prompt_has_the_same_bits_whatever_the_cuts, 0, 2);
    if (!getenv("CUDA_PLUGINS"))
        tcase_add_test(t, what_cannot_be_recorded_is_said_and_computed);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    const char *build = getenv("top_builddir"), *other = getenv("CUDA_PLUGINS");
    char dir[4096], file[4200];

    snprintf(dir, sizeof dir, "%s/tests/cudasim/plain", build ? build : ".");
    snprintf(file, sizeof file, "%s/libzorac-cuda.so", other ? other : dir);
    if (access(file, R_OK) != 0) {
        puts("no C++ compiler: the CUDA simulator is not built");
        return 77;
    }
    setenv("ZORAC_PLUGINS", other ? other : dir, 1);
    return t_run(engine_cuda_suite());
}
