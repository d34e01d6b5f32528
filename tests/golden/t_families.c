/* SPDX-License-Identifier: MIT */
/* Tiny models of all four families and of every packed layout against logits that the reference
 * implementation computed from them (tests/reference/make_families.py), teacher-forced. The exact
 * mode: to 1e-4 of the largest logit, with these kernels and with the plain reference loops. The
 * default mode: by mean square error, also to the reference with the same rounding of activations.
 * Greedy ids are equal wherever the reference's margin is over four times the measured error.
 * Decoding one by one gives prefill's bits; the same integers in another layout give the same bits.
 * Controls: a wrong rope base, scale, zero point or permutation must be found. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/zc_mem.h"
#include "tests/golden/t_golden.h"
#include "zoracd/weights/zw_store.h"

#define EXACT_LIMIT 1e-4 /* largest difference over largest logit */
/* Normalized mean square errors: of fp16 keys and values; of the head in 8 bits; between two
 * computations with the same rounding to 8 bits, which part where a float is rounded the other way.
 */
#define FLOAT_LIMIT 1e-5
#define HEAD_LIMIT  2e-4
#define Q8_LIMIT    2e-4
#define CHUNK       8

static char *families;    /* the folder of models */
static const float *rows; /* all logits of the reference */
static json_t *manifest;
static int V, n_rows;
static int row_at[64]; /* positions of a case's rows */

_Noreturn static void die(const char *what)
{
    printf("FAIL: %s: %s\n", what, t_dg.text[0] ? t_dg.text : strerror(errno));
    exit(1);
}

/* ---- model directories -------------------------------------------------------------------- */

static char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");

    if (!f)
        die(path);
    fseek(f, 0, SEEK_END);
    const size_t n = (size_t)ftell(f);
    rewind(f);
    char *p = zc_xmalloc(n + 1);
    if (fread(p, 1, n, f) != n)
        die(path);
    fclose(f);
    p[n] = '\0';
    *ret_n = n;
    return p;
}

static void spill(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        die(path);
}

/* The case's config.json: that of its weights, keys replaced. */
static json_t *case_config(const json_t *c)
{
    char *path = zc_xasprintf("%s/%s/config.json", families,
                              json_string_value(json_object_get(c, "weights")));
    json_t *config = json_load_file(path, 0, NULL);

    if (!config)
        die(path);
    json_object_update(config, json_object_get(c, "override"));
    zc_free(path);
    return config;
}

/* A fresh directory with that config and copies of the case's weights. */
static char *make_dir(const json_t *c, const json_t *config)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = zc_xasprintf("%s/zorac-families-XXXXXX", tmp ? tmp : "/tmp");
    char *from = zc_xasprintf("%s/%s", families, json_string_value(json_object_get(c, "weights")));
    DIR *d = opendir(from);
    const struct dirent *e;

    if (!d || !mkdtemp(dir))
        die(from);
    while ((e = readdir(d))) {
        if (!strncmp(e->d_name, "model", 5)) {
            char *src = zc_xasprintf("%s/%s", from, e->d_name);
            char *dst = zc_xasprintf("%s/%s", dir, e->d_name);
            size_t n;
            char *p = slurp(src, &n);
            spill(dst, p, n);
            zc_free(p);
            zc_free(src);
            zc_free(dst);
        }
    }
    closedir(d);
    char *path = zc_xasprintf("%s/config.json", dir);
    if (json_dump_file(config, path, 0) < 0)
        die(path);
    zc_free(path);
    zc_free(from);
    return dir;
}

static void remove_dir(char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;

    while (d && (e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(dir);
    zc_free(dir);
}

/* ---- running ------------------------------------------------------------------------------ */

/* What a run may vary. */
struct mode {
    unsigned caps;
    bool exact;
    int head_bits;
    int prefill; /* ids computed in passes of CHUNK; the others one by one */
};

static struct ze_engine *open_model(const char *dir, const struct mode *m, int n)
{
    const struct ze_opts opts = {.dir = dir,
                                 .backend = "cpu",
                                 .caps = m->caps,
                                 .threads = 2,
                                 .exact = m->exact,
                                 .head_bits = m->head_bits,
                                 .max_seqs = 2,
                                 .prefill_chunk = CHUNK,
                                 .logit_rows = n,
                                 .memory_limit = 1 << 30};
    struct ze_engine *e;

    t_must(ze_engine_open(&e, &opts, NULL, NULL, NULL, &t_dg), dir);
    return e;
}

static void step(struct ze_engine *e, struct ze_seq *s, int n, float *out)
{
    struct ze_work w = {.seq = s, .n_rows = n, .want_all = true};

    t_must(ze_step(e, &w, 1, &t_dg), "step");
    memcpy(out, w.logits, (size_t)n * (size_t)V * sizeof *out);
}

/* Logits after each of n ids, teacher-forced. The caller frees them. */
static float *run(const char *dir, const struct mode *m, const int32_t *ids, int n)
{
    struct ze_engine *e = open_model(dir, m, n);
    float *out = zc_xcalloc((size_t)n * (size_t)V, sizeof *out);
    struct ze_seq *s;

    t_must(ze_seq_new(&s, e, 1, ids, (size_t)n, 1, &t_dg), "sequence");
    for (int at = 0; at < n;) {
        const int rest = m->prefill > at ? m->prefill - at : 1;
        const int now = rest < CHUNK ? rest : CHUNK;
        step(e, s, now, out + (size_t)at * (size_t)V);
        at += now;
    }
    ze_seq_free(s);
    ze_engine_free(e);
    return out;
}

/* ---- comparing ---------------------------------------------------------------------------- */

struct result {
    double diff;  /* the largest, absolute */
    double worst; /* over the largest logit */
    double nmse;
    int differ, excused; /* greedy ids; differences within the margin rule */
};

/* The case whose logits these should be. */
static const json_t *reference_of(const json_t *c)
{
    const char *same = json_string_value(json_object_get(c, "same_as"));
    json_t *cases = json_object_get(manifest, "cases"), *v;
    size_t i;

    json_array_foreach (cases, i, v) {
        if (same && !strcmp(same, json_string_value(json_object_get(v, "name"))))
            return v;
    }
    return c;
}

/* rows_key: "first_row", or "first_row_q8" for what 8-bit activations make of it. */
static struct result compare(const float *got, const json_t *c, const char *rows_key, int n)
{
    const json_t *ref = reference_of(c);
    const float *want = rows + json_integer_value(json_object_get(ref, rows_key)) * V;
    struct result res = {0};
    double se = 0, ss = 0;

    for (int r = 0; r < n_rows; r++)
        for (int i = 0; i < V; i++) {
            const double w = want[r * V + i], d = got[row_at[r] * V + i] - w;
            res.diff = fabs(d) > res.diff || isnan(d) ? fabs(d) : res.diff;
            se += d * d;
            ss += w * w;
        }
    res.nmse = se / ss;
    res.worst = res.diff / json_number_value(json_object_get(ref, "scale"));
    for (int i = 0; i < n; i++) {
        const json_t *id = json_array_get(json_object_get(ref, "greedy"), (size_t)i);
        const json_t *margin = json_array_get(json_object_get(ref, "margin"), (size_t)i);
        if (t_argmax(got + i * V, V) == json_integer_value(id))
            continue;
        res.differ++;
        res.excused += json_number_value(margin) <= 4 * res.diff;
    }
    return res;
}

/* ---- cases -------------------------------------------------------------------------------- */

static const char *name_of(const json_t *c)
{
    return json_string_value(json_object_get(c, "name"));
}

/* The exact logits of the case that others must equal bit for bit. */
static float *shared_logits;

static void check_exact(const json_t *c, const char *dir, const int32_t *ids, int n)
{
    struct mode m = {.caps = ZK_CAP_ALL, .exact = true, .head_bits = 16, .prefill = n};
    float *at_once = run(dir, &m, ids, n);
    const size_t bytes = (size_t)n * (size_t)V * sizeof *at_once;
    m.prefill = 13;
    float *stepwise = run(dir, &m, ids, n);
    m.caps = 0;
    float *plain = run(dir, &m, ids, n);
    const struct result res = compare(at_once, c, "first_row", n);
    const struct result ref = compare(plain, c, "first_row", n);

    printf("%-22s exact: within %.2g, plain loops %.2g, %d of %d greedy ids differ;", name_of(c),
           res.worst, ref.worst, res.differ, n);
    t_expect(res.worst < EXACT_LIMIT && ref.worst < EXACT_LIMIT,
             "%s: exact logits are %g (%g) of the largest away", name_of(c), res.worst, ref.worst);
    t_expect(res.differ == res.excused && ref.differ == ref.excused,
             "%s: greedy ids differ for no reason", name_of(c));
    t_expect(!memcmp(at_once, stepwise, bytes), "%s: decoding gives other bits than prefill",
             name_of(c));
    if (json_object_get(c, "same_as"))
        t_expect(shared_logits && !memcmp(at_once, shared_logits, bytes),
                 "%s: other bits than the same integers in another layout", name_of(c));
    if (!strcmp(name_of(c), "ct-asym-f16")) {
        shared_logits = at_once;
        at_once = NULL;
    }
    zc_free(at_once);
    zc_free(stepwise);
    zc_free(plain);
}

/* What the default mode may differ from float arithmetic: where activations stay floats, little;
 * where they are rounded to 8 bits, what the reference with that same rounding differs, within
 * half. */
static double default_limit(const json_t *c)
{
    const json_t *nmse = json_object_get(reference_of(c), "nmse_q8");

    return nmse ? 1.5 * json_number_value(nmse) : FLOAT_LIMIT;
}

static void check_default(const json_t *c, const char *dir, const int32_t *ids, int n)
{
    for (int head = 16; head >= 8; head -= 8) {
        const struct mode m = {.caps = ZK_CAP_ALL, .head_bits = head, .prefill = n};
        float *got = run(dir, &m, ids, n);
        const struct result res = compare(got, c, "first_row", n);
        t_expect(res.nmse < default_limit(c) + (head == 8 ? HEAD_LIMIT : 0),
                 "%s: default mode, head %d: NMSE %g", name_of(c), head, res.nmse);
        t_expect(res.differ == res.excused, "%s: default mode: %d greedy ids differ for no reason",
                 name_of(c), res.differ - res.excused);
        printf(" head %d: NMSE %.2g, %d differ;", head, res.nmse, res.differ);
        if (head == 16 && json_object_get(reference_of(c), "first_row_q8")) {
            const struct result q8 = compare(got, c, "first_row_q8", n);
            t_expect(q8.nmse < Q8_LIMIT,
                     "%s: default mode: NMSE %g to the reference's own rounding", name_of(c),
                     q8.nmse);
            printf(" %.2g to the reference's rounding;", q8.nmse);
        }
        zc_free(got);
    }
    printf("\n");
}

static void check_case(const json_t *c)
{
    json_t *config = case_config(c);
    char *dir = make_dir(c, config);
    size_t n_ids;
    int32_t *ids = t_ids(json_object_get(c, "ids"), &n_ids);
    const int n = (int)n_ids;

    check_exact(c, dir, ids, n);
    check_default(c, dir, ids, n);
    remove_dir(dir);
    json_decref(config);
    zc_free(ids);
}

/* ---- controls ----------------------------------------------------------------------------- */

static const json_t *find_case(const char *name)
{
    json_t *cases = json_object_get(manifest, "cases"), *v;
    size_t i;

    json_array_foreach (cases, i, v) {
        if (!strcmp(name_of(v), name))
            return v;
    }
    die(name);
}

/* Runs a spoilt model: the comparison must notice. */
static void expect_wrong(const json_t *c, const char *dir, const char *what)
{
    size_t n_ids;
    int32_t *ids = t_ids(json_object_get(c, "ids"), &n_ids);
    const int n = (int)n_ids;
    const struct mode m = {.caps = ZK_CAP_ALL, .exact = true, .head_bits = 16, .prefill = n};
    float *got = run(dir, &m, ids, n);
    const struct result res = compare(got, c, "first_row", n);

    printf("control: %s: off by %.2g\n", what, res.worst);
    t_expect(!(res.worst < EXACT_LIMIT), "%s is not noticed (%g)", what, res.worst);
    zc_free(got);
    zc_free(ids);
}

static void control_rope_base(void)
{
    const json_t *c = find_case("mistral");
    json_t *config = case_config(c);

    json_object_set_new(config, "rope_theta", json_real(1010000.0));
    char *dir = make_dir(c, config);
    expect_wrong(c, dir, "a rope base one percent off");
    remove_dir(dir);
    json_decref(config);
}

/* Exchanges two elements of `size` bytes of a tensor. */
static void control_exchange(const char *name, const char *tensor, size_t a, size_t b, size_t size,
                             const char *what)
{
    const json_t *c = find_case(name);
    json_t *config = case_config(c);
    char *dir = make_dir(c, config), x[8], y[8];
    struct zw_store *s;

    t_must(zw_store_open(&s, dir, &t_dg), dir);
    const struct zw_tensor *t = zw_store_find(s, tensor);
    if (!t)
        die(tensor);
    char *path = zc_xasprintf("%s/%s", dir, zw_store_file_name(s, t->file));
    const off_t at_a = (off_t)(t->offset + a * size), at_b = (off_t)(t->offset + b * size);
    int fd = open(path, O_RDWR);
    if (fd < 0 || pread(fd, x, size, at_a) < 0 || pread(fd, y, size, at_b) < 0 ||
        !memcmp(x, y, size) || pwrite(fd, y, size, at_a) < 0 || pwrite(fd, x, size, at_b) < 0)
        die("elements to exchange");
    close(fd);
    zw_store_free(s);
    expect_wrong(c, dir, what);
    remove_dir(dir);
    json_decref(config);
    zc_free(path);
}

/* The first column of another group than column 0. */
static size_t other_group(const char *weights, const char *tensor)
{
    char *dir = zc_xasprintf("%s/%s", families, weights);
    int32_t g[1024];
    struct zw_store *s;
    size_t j = 1;

    t_must(zw_store_open(&s, dir, &t_dg), dir);
    const struct zw_tensor *t = zw_store_find(s, tensor);
    if (!t || t->bytes > sizeof g)
        die(tensor);
    t_must(zw_store_read(s, t, 0, g, t->bytes, &t_dg), tensor);
    while (g[j] == g[0])
        j++;
    zw_store_free(s);
    zc_free(dir);
    return j;
}

static void controls(void)
{
    const char *g_idx = "model.layers.0.self_attn.o_proj.weight_g_idx";

    control_rope_base();
    control_exchange("ct-asym-bf16", "model.layers.1.mlp.down_proj.weight_scale", 0, 5, 2,
                     "two scales exchanged");
    control_exchange("ct-asym-bf16", "model.layers.0.mlp.up_proj.weight_zero_point", 0, 1, 4,
                     "two words of zero points exchanged");
    control_exchange("ct-actorder-bf16", g_idx, 0, other_group("ct-actorder-bf16", g_idx), 4,
                     "two columns in each other's group");
    control_exchange("awq-gemm", "model.layers.0.self_attn.q_proj.qweight", 0, 1, 4,
                     "two words of codes exchanged");
    control_exchange("bnb-nf4-bf16", "model.layers.0.self_attn.v_proj.weight.absmax", 3, 17, 1,
                     "two scales' codes exchanged");
    control_exchange("bnb-fp4-f16", "model.layers.1.mlp.up_proj.weight.quant_map", 2, 7, 4,
                     "two numbers of a table exchanged");
    control_exchange("fp8-block-bf16", "model.layers.0.mlp.gate_proj.weight_scale_inv", 0, 1, 4,
                     "the scales of two blocks exchanged");
}

int main(void)
{
    json_t *c;
    size_t i, n;

    families = t_source_path("tests/golden/families");
    char *path = zc_xasprintf("%s/manifest.json", families);
    manifest = json_load_file(path, 0, NULL);
    if (!manifest)
        die(path);
    zc_free(path);
    path = zc_xasprintf("%s/logits.f32", families);
    char *bytes = slurp(path, &n);
    rows = (const float *)bytes;
    V = (int)json_integer_value(json_object_get(manifest, "vocab"));
    json_array_foreach (json_object_get(manifest, "rows"), i, c)
        row_at[n_rows++] = (int)json_integer_value(c);
    json_array_foreach (json_object_get(manifest, "cases"), i, c)
        check_case(c);
    t_expect(i >= 25, "only %zu cases", i);
    controls();
    zc_free(shared_logits);
    zc_free(bytes);
    zc_free(path);
    zc_free(families);
    json_decref(manifest);
    return t_failures > 0;
}
