/* SPDX-License-Identifier: MIT */
/* A real trained model against what others computed from it: logits of the exact mode against a
 * float64 forward pass, greedy ids against another implementation's, and what 16-bit weights cost.
 * Skips (77) where the conformance data are not beside the checkout. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/golden/t_golden.h"

/* The largest difference over the largest magnitude, and the normalized mean square error. */
static double compare_logits(const float *got, const json_t *want, int n, double *nmse)
{
    double diff = 0, size = 0, se = 0, ss = 0;

    for (int i = 0; i < n; i++) {
        double w = json_number_value(json_array_get(want, (size_t)i));
        diff = fmax(diff, fabs(got[i] - w));
        size = fmax(size, fabs(w));
        se += (got[i] - w) * (got[i] - w);
        ss += w * w;
    }
    *nmse = se / ss;
    return diff / size;
}

struct result {
    double worst, nmse; /* of the prompts' logits against float64 */
    double worst_top;   /* of the top ten of each step against the other implementation's */
    int ids, ids_equal;
};

/* One row: the prompt's logits, then the greedy reply, told the right token after each step. */
static void run_row(struct ze_engine *e, const json_t *row, struct result *res)
{
    const int V = ze_engine_config(e)->V;
    size_t n, n_reply;
    int32_t *prompt = t_ids(json_object_get(row, "prompt_ids"), &n);
    int32_t *reply = t_ids(json_object_get(row, "greedy_ids"), &n_reply);
    const json_t *top = json_object_get(row, "top");
    struct ze_seq *s;
    double nmse;

    t_must(ze_seq_new(&s, e, 1, prompt, n, n_reply, &t_dg), "sequence");
    const float *logits = t_compute(e, s);
    double worst = compare_logits(logits, json_object_get(row, "prompt_logits_f64"), V, &nmse);
    res->worst = fmax(res->worst, worst);
    res->nmse = fmax(res->nmse, nmse);
    for (size_t i = 0; i < n_reply; i++) {
        const json_t *pair, *list = json_array_get(top, i);
        size_t k;
        json_array_foreach (list, k, pair) {
            double want = json_number_value(json_array_get(pair, 1));
            double got = logits[json_integer_value(json_array_get(pair, 0))];
            res->worst_top = fmax(res->worst_top, fabs(got - want));
        }
        res->ids++;
        res->ids_equal += t_argmax(logits, V) == reply[i];
        t_must(ze_seq_append(s, reply[i]), "append");
        logits = t_compute(e, s);
    }
    ze_seq_free(s);
    zc_free(prompt);
    zc_free(reply);
}

struct reading {
    struct ze_engine *e;
    struct result *res;
};

static void take_row(const json_t *row, void *arg)
{
    struct reading *rd = arg;

    if (json_object_get(row, "prompt_ids"))
        run_row(rd->e, row, rd->res);
}

static struct result run(const char *dir, const char *rows, bool exact, int head_bits)
{
    struct ze_engine *e = t_open_model(dir, exact, head_bits);
    struct result res = {0};
    struct reading rd = {e, &res};

    t_each_row(rows, take_row, &rd);
    printf("%s %s, head %d: logits within %.2g of float64 (NMSE %.2g), top ten within %.2g, "
           "%d of %d greedy ids equal (%s)\n",
           strrchr(dir, '/') + 1, exact ? "exact" : "default", head_bits, res.worst, res.nmse,
           res.worst_top, res.ids_equal, res.ids, ze_engine_device(e));
    ze_engine_free(e);
    return res;
}

int main(void)
{
    const char *src = getenv("top_srcdir") ? getenv("top_srcdir") : ".";
    char *base = zc_xasprintf("%s/../shared/conformance", src);
    char *rows = zc_xasprintf("%s/expected/open/model/f32.jsonl", base);
    char *f32 = zc_xasprintf("%s/models/open/stories260K-hf-f32", base);
    char *bf16 = zc_xasprintf("%s/models/open/stories260K-hf-bf16", base);

    if (access(rows, R_OK) < 0 || access(f32, R_OK) < 0 || access(bf16, R_OK) < 0) {
        printf("SKIP: no conformance data at %s\n", base);
        return 77;
    }
    struct result r = run(f32, rows, true, 16);
    t_expect(r.ids > 400, "only %d ids were compared", r.ids);
    t_expect(r.worst < 1e-4, "exact logits are %g away from float64", r.worst);
    t_expect(r.worst_top < 2e-4, "top ten logits are %g away", r.worst_top);
    t_expect(r.ids_equal == r.ids, "%d greedy ids differ", r.ids - r.ids_equal);

    /* bf16 weights are other weights: near, not equal */
    r = run(bf16, rows, true, 16);
    t_expect(r.nmse < 5e-4, "bf16 weights: NMSE %g", r.nmse);
    r = run(f32, rows, false, 16);
    t_expect(r.nmse < 5e-4, "default mode: NMSE %g", r.nmse);
    r = run(f32, rows, false, 8);
    t_expect(r.nmse < 5e-4, "default mode with an 8-bit head: NMSE %g", r.nmse);

    zc_free(base);
    zc_free(rows);
    zc_free(f32);
    zc_free(bf16);
    return t_failures > 0;
}
