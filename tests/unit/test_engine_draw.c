/* SPDX-License-Identifier: MIT */
/* Drawing on the device (the simulator, or what $CUDA_PLUGINS names) beside the host's sampler: the
 * same token for the same logits, parameters and history, over random ones of all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/zk.h"
#include "kernels/zk_draw.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_sample.h"

#define MAX_V    6000
#define MAX_ROWS 5
#define ROOM     400
#define STEPS    3

static struct zc_diag dg;
static struct zk_dev *dev;
static uint64_t rng = 1;

static float logits[MAX_ROWS][MAX_V];
static float changed[MAX_ROWS][MAX_V]; /* the device's copy */

static int below(int n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (int)((rng >> 33) % (uint64_t)n);
}

static float unit(void)
{
    return (float)below(1 << 24) * 0x1p-24F;
}

/* Peaked, flat, with many ties, with impossible tokens, huge, all equal. */
static void fill(float *x, int V)
{
    const int kind = below(6);
    const float spread = (float[]){4, 0.01F, 3, 20, 30000, 0}[kind];
    for (int i = 0; i < V; i++) {
        x[i] = spread * (unit() + unit() + unit() - 1.5F);
        if (kind == 2)
            x[i] = rintf(x[i]);
        if (kind == 3 && below(3) == 0 && i > 0)
            x[i] = -INFINITY;
    }
}

static void random_params(struct ze_sample_params *p, int V)
{
    ze_sample_params_init(p);
    p->temperature = below(5) == 0 ? 0 : below(3) == 0 ? 1 : 0.05F + 3 * unit();
    p->top_k = below(2) ? 0 : below(3) ? 1 + below(40) : 1 + below(2 * V);
    p->top_p = below(2) ? 1 : below(8) ? unit() : 0;
    p->min_p = below(2) ? 0 : unit() * unit();
    if (below(2)) {
        p->repetition_penalty = 0.5F + unit();
        p->presence_penalty = 2 * unit() - 1;
        p->frequency_penalty = 2 * unit() - 1;
    }
    p->seed = (uint64_t)below(1 << 30) << 30 | (uint64_t)below(1 << 30);
}

/* Memory that is the device's. */
static void *device_copy(const void *p, size_t bytes)
{
    void *q = NULL;
    t_assert_err(dev->ops->alloc(dev, &q, bytes, &dg), ZC_OK, &dg);
    ck_assert_int_eq(dev->ops->upload(dev, q, p, bytes), ZC_OK);
    return q;
}

/* What the device draws for rows of logits. */
static void draw(int32_t *ids, const struct zk_draw *draws, const struct zk_seen *seen, int rows,
                 int V)
{
    const size_t row = (size_t)V * sizeof(float), all = (size_t)rows * sizeof *ids;
    char *x = NULL;
    void *p = NULL, *out = NULL;

    t_assert_err(dev->ops->alloc(dev, &p, (size_t)rows * row, &dg), ZC_OK, &dg);
    x = p;
    for (int r = 0; r < rows; r++)
        ck_assert_int_eq(dev->ops->upload(dev, x + (size_t)r * row, logits[r], row), ZC_OK);
    void *d = device_copy(draws, (size_t)rows * sizeof *draws);
    void *s = device_copy(seen, (size_t)rows * ROOM * sizeof *seen);
    t_assert_err(dev->ops->host_alloc(dev, &out, all, &dg), ZC_OK, &dg);
    memset(out, 0x55, all);
    ck_assert_int_eq(dev->ops->draw(dev, out, p, d, s, rows, V), ZC_OK);
    t_assert_err(dev->ops->sync(dev, &dg), ZC_OK, &dg);
    memcpy(ids, out, all);
    for (int r = 0; r < rows; r++)
        ck_assert_int_eq(dev->ops->download(dev, changed[r], x + (size_t)r * row, row), ZC_OK);
    dev->ops->host_free(dev, out, all);
    dev->ops->free(dev, p, (size_t)rows * row);
    dev->ops->free(dev, d, (size_t)rows * sizeof *draws);
    dev->ops->free(dev, s, (size_t)rows * ROOM * sizeof *seen);
}

/* Rows with parameters of their own, some not wanted, a few steps with histories that grow. */
static void compare(int V, int rows)
{
    struct ze_sampler *s[MAX_ROWS] = {NULL};
    static struct zk_seen seen[MAX_ROWS * ROOM];
    struct zk_draw draws[MAX_ROWS];
    int32_t ids[MAX_ROWS], prompt[50];

    for (int r = 0; r < rows; r++) {
        struct ze_sample_params p;
        random_params(&p, V);
        for (int i = 0; i < 50; i++)
            prompt[i] = below(V);
        ck_assert_int_eq(ze_sampler_new(&s[r], &p, V, prompt, 50), ZC_OK);
    }
    for (uint64_t step = 0; step < STEPS; step++) {
        for (int r = 0; r < rows; r++) {
            fill(logits[r], V);
            ck_assert_int_eq(ze_sampler_ask(s[r], step, &draws[r], seen + r * ROOM, ROOM), ZC_OK);
            draws[r].first_seen = r * ROOM;
            draws[r].is_wanted = rows == 1 || below(6) > 0;
        }
        draw(ids, draws, seen, rows, V);
        for (int r = 0; r < rows; r++) {
            struct ze_sampled want;
            t_assert_err(ze_sampler_draw(s[r], logits[r], step, &want, &dg), ZC_OK, &dg);
            if (!draws[r].is_wanted)
                ck_assert_msg(ids[r] == 0x55555555 &&
                                  memcmp(changed[r], logits[r], (size_t)V * sizeof(float)) == 0,
                              "what is not wanted was drawn");
            else
                ck_assert_msg(ids[r] == want.id,
                              "V %d, row %d: the device draws %d, the host %d (temperature %g, "
                              "top_k %d, top_p %g, min_p %g, repetition %g)",
                              V, r, ids[r], want.id, (double)draws[r].temperature, draws[r].top_k,
                              (double)draws[r].top_p, (double)draws[r].min_p,
                              (double)draws[r].repetition);
        }
    }
    for (int r = 0; r < rows; r++)
        ze_sampler_free(s[r]);
}

START_TEST(the_device_draws_what_the_host_draws)
{
    static const int sizes[] = {1, 2, 31, 96, 257, 2048, 2049, MAX_V};
    const char *cases = getenv("CASES");

    for (int i = 0; i < (cases ? atoi(cases) : 40); i++)
        compare(sizes[below(8)], 1 + below(MAX_ROWS));
}
END_TEST

/* The host's sampler then says what is wrong. */
START_TEST(a_logit_that_is_no_number_is_not_drawn)
{
    static const float bad[] = {NAN, -NAN, INFINITY};
    struct zk_draw d = {.is_wanted = 1, .top_p = 1, .repetition = 1};
    static struct zk_seen seen[ROOM];
    int32_t id;

    for (int i = 0; i < 6; i++) {
        fill(logits[0], 5000);
        logits[0][below(5000)] = bad[i % 3];
        d.temperature = i < 3 ? 0 : 0.7F;
        draw(&id, &d, seen, 1, 5000);
        ck_assert_int_eq(id, -1);
    }
    for (int i = 0; i < 40; i++)
        logits[0][i] = -INFINITY;
    draw(&id, &d, seen, 1, 40);
    ck_assert_int_eq(id, -1);
}
END_TEST

START_TEST(what_a_device_cannot_draw_is_the_hosts)
{
    const struct ze_logit_bias bias = {1, 1};
    struct ze_sample_params p[5];
    struct zk_seen seen[8];
    struct zk_draw d;
    const int32_t prompt[] = {1, 2, 3, 4};

    for (int i = 0; i < 5; i++)
        ze_sample_params_init(&p[i]);
    p[0].typical_p = 0.5F;
    p[1].bias = &bias, p[1].n_bias = 1;
    p[2].logprobs = 0;
    p[3].repetition_penalty = 1.1F;
    for (int i = 0; i < 5; i++) {
        struct ze_sampler *s;
        ck_assert_int_eq(ze_sampler_new(&s, &p[i], 10, prompt, 4), ZC_OK);
        ck_assert_int_eq(ze_sampler_ask(s, 0, &d, seen, i == 3 ? 3 : 8),
                         i < 4 ? ZC_EUNSUPPORTED : ZC_OK);
        ze_sampler_free(s);
    }
}
END_TEST

int main(void)
{
    const char *build = getenv("top_builddir"), *other = getenv("CUDA_PLUGINS");
    const struct zk_cuda_opts opts = {.device = NULL};
    char dir[4096], file[4200];

    snprintf(dir, sizeof dir, "%s/tests/cudasim/plain", build ? build : ".");
    snprintf(file, sizeof file, "%s/libzorac-cuda.so", other ? other : dir);
    if (access(file, R_OK) != 0) {
        puts("no C++ compiler: the CUDA simulator is not built");
        return 77;
    }
    setenv("ZORAC_PLUGINS", other ? other : dir, 1);
    setenv("CK_FORK", "no", 1); /* one device for all */
    if (zk_cuda_open(&dev, &opts, &dg) < 0) {
        printf("%s\n", dg.text);
        return 1;
    }
    Suite *s = suite_create("engine draw");
    TCase *t = tcase_create("draw");
    tcase_add_test(t, the_device_draws_what_the_host_draws);
    tcase_add_test(t, a_logit_that_is_no_number_is_not_drawn);
    tcase_add_test(t, what_a_device_cannot_draw_is_the_hosts);
    suite_add_tcase(s, t);
    int r = t_run(s);
    dev->ops->close(dev);
    return r;
}
