/* SPDX-License-Identifier: MIT */
/* A real trained model against what others computed from it: logits of the exact mode against a
 * float64 forward pass, greedy ids against another implementation's, and what 16-bit weights cost.
 * Skips (77) where the conformance data are not beside the checkout. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine.h"

static struct zc_diag dg;
static int failures;

#define expect(cond, ...)                 \
    do {                                  \
        if (!(cond)) {                    \
            failures++;                   \
            printf("FAIL: " __VA_ARGS__); \
            printf("\n");                 \
        }                                 \
    } while (0)

static void must(int r, const char *what)
{
    if (r < 0) {
        printf("FAIL: %s: %s (%s)\n", what, dg.text, zc_err_name(r));
        exit(1);
    }
}

static struct ze_engine *open_model(const char *dir, bool exact, int head_bits)
{
    const struct ze_opts opts = {
        .dir = dir,
        .caps = ZK_CAP_ALL,
        .threads = 2,
        .exact = exact,
        .head_bits = head_bits,
        .max_seqs = 4,
        .prefill_chunk = 8, /* several passes even for short prompts */
        .memory_limit = 1 << 30,
    };
    struct ze_engine *e;

    must(ze_engine_open(&e, &opts, NULL, NULL, NULL, &dg), dir);
    return e;
}

static int32_t *ids_of(const json_t *list, size_t *ret_n)
{
    *ret_n = json_array_size(list);
    int32_t *ids = zc_xcalloc(*ret_n + 1, sizeof *ids);
    for (size_t i = 0; i < *ret_n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ids;
}

/* Computes all that a sequence knows; logits of its last token. */
static const float *compute(struct ze_engine *e, struct ze_seq *s)
{
    struct ze_work w = {
        .seq = s,
        .n_rows = (int)(ze_seq_len(s) - ze_seq_computed(s)),
        .want_logits = true,
    };
    must(ze_step(e, &w, 1, &dg), "step");
    return w.logits;
}

static int argmax(const float *x, int n)
{
    int at = 0;
    for (int i = 1; i < n; i++)
        at = x[i] > x[at] ? i : at;
    return at;
}

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
    int32_t *prompt = ids_of(json_object_get(row, "prompt_ids"), &n);
    int32_t *reply = ids_of(json_object_get(row, "greedy_ids"), &n_reply);
    const json_t *top = json_object_get(row, "top");
    struct ze_seq *s;
    double nmse;

    must(ze_seq_new(&s, e, 1, prompt, n, n_reply, &dg), "sequence");
    const float *logits = compute(e, s);
    double worst = compare_logits(logits, json_object_get(row, "prompt_logits_f64"), V, &nmse);
    res->worst = fmax(res->worst, worst);
    res->nmse = fmax(res->nmse, nmse);
    for (size_t i = 0; i < n_reply; i++) {
        const json_t *pair, *list = json_array_get(top, i);
        size_t k;
        json_array_foreach(list, k, pair)
        {
            double want = json_number_value(json_array_get(pair, 1));
            double got = logits[json_integer_value(json_array_get(pair, 0))];
            res->worst_top = fmax(res->worst_top, fabs(got - want));
        }
        res->ids++;
        res->ids_equal += argmax(logits, V) == reply[i];
        must(ze_seq_append(s, reply[i]), "append");
        logits = compute(e, s);
    }
    ze_seq_free(s);
    zc_free(prompt);
    zc_free(reply);
}

static struct result run(const char *dir, const char *rows, bool exact, int head_bits)
{
    struct ze_engine *e = open_model(dir, exact, head_bits);
    struct result res = {0};
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen(rows, "r");

    if (!f) {
        printf("FAIL: no %s\n", rows);
        exit(1);
    }
    while (getline(&line, &cap, f) > 0) {
        json_t *row = json_loads(line, 0, NULL);
        if (json_object_get(row, "prompt_ids"))
            run_row(e, row, &res);
        json_decref(row);
    }
    fclose(f);
    free(line);
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
    expect(r.ids > 400, "only %d ids were compared", r.ids);
    expect(r.worst < 1e-4, "exact logits are %g away from float64", r.worst);
    expect(r.worst_top < 2e-4, "top ten logits are %g away", r.worst_top);
    expect(r.ids_equal == r.ids, "%d greedy ids differ", r.ids - r.ids_equal);

    /* bf16 weights are other weights: near, not equal */
    r = run(bf16, rows, true, 16);
    expect(r.nmse < 5e-4, "bf16 weights: NMSE %g", r.nmse);
    r = run(f32, rows, false, 16);
    expect(r.nmse < 5e-4, "default mode: NMSE %g", r.nmse);
    r = run(f32, rows, false, 8);
    expect(r.nmse < 5e-4, "default mode with an 8-bit head: NMSE %g", r.nmse);

    zc_free(base);
    zc_free(rows);
    zc_free(f32);
    zc_free(bf16);
    return failures > 0;
}
