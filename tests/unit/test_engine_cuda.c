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

static Suite *engine_cuda_suite(void)
{
    Suite *s = suite_create("engine-cuda");
    TCase *t = tcase_create("record");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, recorded_steps_give_the_same_bits);
    tcase_add_test(t, the_device_draws_in_its_steps);
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
