/* SPDX-License-Identifier: MIT */
/* What the tests of whole models share. */
#include "tests/golden/t_golden.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/zc_mem.h"

struct zc_diag t_dg;
int t_failures;

void t_must(int r, const char *what)
{
    if (r < 0) {
        printf("FAIL: %s: %s (%s)\n", what, t_dg.text, zc_err_name(r));
        exit(1);
    }
}

struct ze_engine *t_open_model(const char *dir, bool exact, int head_bits)
{
    return t_open_kv(dir, exact, head_bits, false);
}

struct ze_engine *t_open_kv(const char *dir, bool exact, int head_bits, bool kv_f8)
{
    const struct ze_opts opts = {
        .dir = dir,
        .caps = ZK_CAP_ALL,
        .threads = 1, /* tests run side by side; more threads give the same bits */
        .exact = exact,
        .kv_f8 = kv_f8,
        .head_bits = head_bits,
        .max_seqs = 8,
        .prefill_chunk = 8,
        .memory_limit = 1 << 30,
    };
    struct ze_engine *e = NULL;

    t_must(ze_engine_open(&e, &opts, NULL, NULL, NULL, &t_dg), dir);
    return e;
}

int32_t *t_ids(const json_t *list, size_t *ret_n)
{
    *ret_n = json_array_size(list);
    int32_t *ids = zc_xcalloc(*ret_n + 1, sizeof *ids);
    for (size_t i = 0; i < *ret_n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return ids;
}

const float *t_compute(struct ze_engine *e, struct ze_seq *s)
{
    struct ze_work w = {
        .seq = s,
        .n_rows = (int)(ze_seq_len(s) - ze_seq_computed(s)),
        .want_logits = true,
    };
    t_must(ze_step(e, &w, 1, &t_dg), "step");
    return w.logits;
}

int t_argmax(const float *x, int n)
{
    int at = 0;
    for (int i = 1; i < n; i++)
        at = x[i] > x[at] ? i : at;
    return at;
}

void t_each_row(const char *path, void (*row)(const json_t *r, void *arg), void *arg)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen(path, "r");

    if (!f) {
        printf("FAIL: cannot open %s\n", path);
        exit(1);
    }
    while (getline(&line, &cap, f) > 0) {
        json_t *r = json_loads(line, 0, NULL);
        if (!r) {
            printf("FAIL: %s: a line is not JSON\n", path);
            exit(1);
        }
        row(r, arg);
        json_decref(r);
    }
    fclose(f);
    free(line);
}

char *t_source_path(const char *path)
{
    const char *src = getenv("top_srcdir");
    return zc_xasprintf("%s/%s", src ? src : ".", path);
}
