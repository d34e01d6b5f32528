/* SPDX-License-Identifier: MIT */
/* Unit tests of the loader: a device that records what it is given, then a real one. */
#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_decode.h"
#include "zoracd/weights/zw_load.h"

#define N_JOBS 24
#define N      64
#define K      512

/* ---- a device that counts and can fail ---------------------------------------------------- */

struct fake {
    struct zk_dev dev;
    pthread_mutex_t lock;
    int packed, uploads;
    int fail_at; /* the n-th pack fails; 0: none */
    int inside;  /* packs at this moment */
    int max_inside;
    uint64_t sum;        /* over all codes, in any order */
    uint64_t last_zeros; /* sum of the zero points of the part packed last */
};

static uint64_t sum_bytes(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += b[i] * (uint64_t)(i % 251 + 1);
    return sum;
}

static int fake_pack(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts,
                     int n_parts, struct zc_diag *dg)
{
    struct fake *f = (struct fake *)dev;
    int n = 0, r = ZC_OK;

    pthread_mutex_lock(&f->lock);
    f->inside++;
    f->max_inside = f->inside > f->max_inside ? f->inside : f->max_inside;
    pthread_mutex_unlock(&f->lock);
    usleep(2000);
    pthread_mutex_lock(&f->lock);
    f->inside--;
    for (int i = 0; i < n_parts; i++) {
        n += parts[i].n;
        f->sum += sum_bytes(parts[i].q, (size_t)parts[i].n * (size_t)parts[i].k / 2);
        if (m->d.has_zero && !parts[i].zero)
            r = zc_diag(dg, ZC_EINVAL, "a part without zero points");
        f->last_zeros = 0;
        for (int j = 0; parts[i].zero && j < parts[i].n * (parts[i].k / parts[i].group); j++)
            f->last_zeros += parts[i].zero[j];
    }
    if (n != m->d.n)
        r = zc_diag(dg, ZC_EINVAL, "%d rows", n);
    if (++f->packed == f->fail_at)
        r = zc_diag(dg, ZC_EDEVMEM, "planted failure");
    pthread_mutex_unlock(&f->lock);
    return r;
}

static int fake_upload(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    struct fake *f = (struct fake *)dev;

    memcpy(dst, src, bytes);
    pthread_mutex_lock(&f->lock);
    f->uploads++;
    pthread_mutex_unlock(&f->lock);
    return ZC_OK;
}

static const struct zk_ops fake_ops = {.mat_pack = fake_pack, .upload = fake_upload};

/* ---- a model ------------------------------------------------------------------------------ */

static char *dir;
static struct zw_store *store;
static struct zw_quant *quant;
static struct zw_linear linears[N_JOBS];
static struct zk_mat mats[N_JOBS];
static struct zw_load_job jobs[N_JOBS + 1];
static uint8_t raw[3 * ZW_READ_PIECE + 5], *raw_copy;
static uint64_t want_sum, total;
static struct fake fake;
static struct zc_diag dg;

static void add_modules(struct t_st *st)
{
    char name[32];
    struct t_mat m;

    for (int i = 0; i < N_JOBS; i++) {
        t_mat_random(&m, N, K, 128, 4, ZK_BF16, true, (uint32_t)i + 1);
        snprintf(name, sizeof name, "m%d", i);
        t_mat_add_ct(st, name, &m);
        uint8_t q[N * K / 2];
        for (int j = 0; j < N * K / 2; j++)
            q[j] = (uint8_t)(m.q[2 * j] | m.q[2 * j + 1] << 4);
        want_sum += sum_bytes(q, sizeof q);
        t_mat_release(&m);
    }
}

static void setup(void)
{
    json_t *config = json_loads("{\"compression_config\":{\"config_groups\":{"
                                "\"W4A16_ASYM\":[\"re:m[0-9]+\"],\"W4A16\":[\"symmetric\"]}}}",
                                0, NULL);
    struct t_st st;
    char name[32];

    dir = t_dir_new();
    want_sum = total = 0;
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(i * 31 + i / 997);
    raw_copy = zc_xcalloc(sizeof raw, 1);
    t_st_init(&st);
    add_modules(&st);
    struct t_mat m;
    t_mat_random(&m, N, K, 128, 4, ZK_BF16, false, 1);
    t_mat_add_ct(&st, "symmetric", &m);
    t_mat_release(&m);
    t_st_add(&st, "raw", "U8", sizeof raw, 0, raw, sizeof raw);
    t_st_write(&st, dir, "model.safetensors");
    t_assert_err(zw_store_open(&store, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_quant_new(&quant, config, NULL, &dg), ZC_OK, &dg);
    json_decref(config);
    for (int i = 0; i < N_JOBS; i++) {
        snprintf(name, sizeof name, "m%d", i);
        t_assert_err(zw_linear_probe(&linears[i], store, quant, name, N, K, &dg), ZC_OK, &dg);
        mats[i] = (struct zk_mat){.d = linears[i].desc};
        jobs[i] = (struct zw_load_job){.mat = &mats[i], .parts = {&linears[i]}, .n_parts = 1};
        total += linears[i].file_bytes;
    }
    jobs[N_JOBS] = (struct zw_load_job){.raw = zw_store_find(store, "raw"), .raw_dst = raw_copy};
    total += sizeof raw;
    memset(&fake, 0, sizeof fake);
    fake.dev.ops = &fake_ops;
    pthread_mutex_init(&fake.lock, NULL);
}

static void teardown(void)
{
    zw_store_free(store);
    zw_quant_free(quant);
    zc_free(raw_copy);
    t_dir_remove(dir);
}

/* A progress callback that checks its promise. */
struct watch {
    uint64_t done, total;
    atomic_bool cancel;
    uint64_t cancel_at; /* 0: never */
};

static void watch_progress(uint64_t done, uint64_t of, void *arg)
{
    struct watch *w = arg;

    ck_assert_uint_gt(done, w->done);
    w->done = done;
    w->total = of;
    if (w->cancel_at && done >= w->cancel_at)
        atomic_store(&w->cancel, true);
}

/* ---- tests -------------------------------------------------------------------------------- */

START_TEST(loads_everything_with_any_number_of_threads)
{
    for (int threads = 0; threads <= 5; threads++) {
        struct watch w = {0};
        struct zw_load_opts o = {
            .threads = threads, .progress = watch_progress, .arg = &w, .cancel = &w.cancel};
        fake.packed = fake.uploads = 0;
        fake.sum = 0;
        memset(raw_copy, 0, sizeof raw);
        jobs[N_JOBS].raw_is_host = threads % 2; /* read to its place, not uploaded */
        t_assert_err(zw_load_run(jobs, N_JOBS + 1, store, &fake.dev, &o, &dg), ZC_OK, &dg);
        ck_assert_int_eq(fake.packed, N_JOBS);
        ck_assert_int_eq(fake.uploads, threads % 2 ? 0 : 4);
        ck_assert_uint_eq(fake.sum, want_sum);
        ck_assert_mem_eq(raw_copy, raw, sizeof raw);
        ck_assert_uint_eq(w.done, total);
        ck_assert_uint_eq(w.total, total);
    }
    ck_assert_int_gt(fake.max_inside, 1);
}
END_TEST

START_TEST(staging_memory_is_bounded)
{
    const uint64_t one = zw_load_staging(jobs, 1, &(struct zw_load_opts){0});
    struct zw_load_opts o = {.threads = 6, .staging_limit = 2 * one};

    t_assert_err(zw_load_run(jobs, N_JOBS, store, &fake.dev, &o, &dg), ZC_OK, &dg);
    ck_assert_int_eq(fake.max_inside, 2);
    ck_assert_uint_eq(zw_load_staging(jobs, N_JOBS, &o), 2 * one);
    fake.max_inside = 0;
    o.staging_limit = 1; /* less than any job: one at a time */
    t_assert_err(zw_load_run(jobs, N_JOBS, store, &fake.dev, &o, &dg), ZC_OK, &dg);
    ck_assert_int_eq(fake.max_inside, 1);
    ck_assert_uint_eq(zw_load_staging(jobs, N_JOBS, &o), one);
}
END_TEST

START_TEST(a_symmetric_part_gets_zero_points_beside_others)
{
    struct zw_linear sym;
    const struct zw_linear *parts[2] = {&linears[0], &sym};
    struct zk_mat mat = {0};
    struct zw_load_job job = {.mat = &mat, .parts = {&linears[0], &sym}, .n_parts = 2};
    struct zw_load_opts o = {.threads = 1};

    t_assert_err(zw_linear_probe(&sym, store, quant, "symmetric", N, K, &dg), ZC_OK, &dg);
    ck_assert(!sym.desc.has_zero);
    t_assert_err(zw_linear_join(&mat.d, parts, 2, ZK_JOIN_ROWS, &dg), ZC_OK, &dg);
    t_assert_err(zw_load_run(&job, 1, store, &fake.dev, &o, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(fake.last_zeros, (uint64_t)N * (K / 128) * 8);
}
END_TEST

START_TEST(the_first_failure_ends_it)
{
    struct zw_load_opts o = {.threads = 3};

    fake.fail_at = 5;
    t_assert_err(zw_load_run(jobs, N_JOBS, store, &fake.dev, &o, &dg), ZC_EDEVMEM, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "planted failure"));
    ck_assert_int_lt(fake.packed, N_JOBS);
}
END_TEST

START_TEST(a_file_that_shrinks_ends_it)
{
    struct zw_load_opts o = {.threads = 3};
    char *path = zc_xasprintf("%s/model.safetensors", dir);

    ck_assert_int_eq(truncate(path, (off_t)(linears[12].weight->offset + 10)), 0);
    t_assert_err(zw_load_run(jobs, N_JOBS, store, &fake.dev, &o, &dg), ZC_EFORMAT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "ends at byte"));
    zc_free(path);
}
END_TEST

START_TEST(cancelling_ends_it)
{
    struct watch w = {.cancel_at = ZW_READ_PIECE + 1};
    struct zw_load_opts o = {
        .threads = 2, .progress = watch_progress, .arg = &w, .cancel = &w.cancel};

    t_assert_err(zw_load_run(jobs, N_JOBS + 1, store, &fake.dev, &o, &dg), ZC_ECANCELED, &dg);
    ck_assert_uint_lt(w.done, total);
    fake.packed = 0;
    t_assert_err(zw_load_run(jobs, N_JOBS + 1, store, &fake.dev, &o, &dg), ZC_ECANCELED, &dg);
    ck_assert_int_eq(fake.packed, 0); /* cancelled before it began */
}
END_TEST

START_TEST(a_real_device_gets_the_weights_as_the_file_says)
{
    struct zk_dev *dev;
    struct zw_linear joined[3] = {linears[0], linears[1], linears[2]};
    const struct zw_linear *parts[3] = {&joined[0], &joined[1], &joined[2]};
    struct zk_mat mat = {0};
    struct zw_load_job job = {.mat = &mat, .parts = {parts[0], parts[1], parts[2]}, .n_parts = 3};
    struct zw_load_opts o = {.threads = 2};
    struct t_mat m;
    float row[K];

    t_assert_err(zk_ref_open(&dev, ZK_REF_EXACT, &dg), ZC_OK, &dg);
    t_assert_err(zw_linear_join(&mat.d, parts, 3, ZK_JOIN_ROWS, &dg), ZC_OK, &dg);
    mat.bytes = dev->ops->mat_bytes(dev, &mat.d);
    t_assert_err(dev->ops->alloc(dev, &mat.data, mat.bytes, &dg), ZC_OK, &dg);
    t_assert_err(zw_load_run(&job, 1, store, dev, &o, &dg), ZC_OK, &dg);
    for (int part = 0; part < 3; part++) {
        t_mat_random(&m, N, K, 128, 4, ZK_BF16, true, (uint32_t)part + 1);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(dev->ops->mat_unpack_row(dev, &mat, part * N + i, row), ZC_OK);
            for (int j = 0; j < K; j++) {
                const size_t g = (size_t)(i * m.groups + j / 128);
                const float want =
                    (float)(m.q[i * K + j] - m.zero[g]) * zk_bf16_to_f32(((uint16_t *)m.scale)[g]);
                if (row[j] != want)
                    ck_abort_msg("row %d, column %d: %g, want %g", i, j, (double)row[j],
                                 (double)want);
            }
        }
        t_mat_release(&m);
    }
    dev->ops->free(dev, mat.data, mat.bytes);
    dev->ops->close(dev);
}
END_TEST

/* The head: plain in the file, 8 bits on the device, more than one piece long. */
START_TEST(a_head_is_quantized_on_the_way)
{
    enum { ROWS = 6000, COLS = 400 };
    struct zk_dev *dev;
    struct zw_linear l;
    struct zk_mat mat = {0};
    struct zw_load_job job = {.mat = &mat, .parts = {&l}, .n_parts = 1, .quantize_w8a = true};
    struct watch w = {0};
    struct zw_load_opts o = {.progress = watch_progress, .arg = &w};
    uint16_t *head = zc_xcalloc((size_t)ROWS * COLS, 2);
    uint32_t state = 4;
    struct t_st st;
    float row[COLS];

    for (size_t i = 0; i < (size_t)ROWS * COLS; i++)
        head[i] = zk_f32_to_bf16((float)((int)(t_random(&state) >> 16) - 32768) * 1e-6f);
    zw_store_free(store);
    t_st_init(&st);
    t_st_add(&st, "lm_head.weight", "BF16", ROWS, COLS, head, (size_t)ROWS * COLS * 2);
    t_st_write(&st, dir, "model.safetensors");
    t_assert_err(zw_store_open(&store, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_linear_probe(&l, store, quant, "lm_head", ROWS, COLS, &dg), ZC_OK, &dg);
    zw_quantize_desc(&mat.d, ROWS, COLS);
    t_assert_err(zk_ref_open(&dev, ZK_REF_EXACT, &dg), ZC_OK, &dg);
    mat.bytes = dev->ops->mat_bytes(dev, &mat.d);
    t_assert_err(dev->ops->alloc(dev, &mat.data, mat.bytes, &dg), ZC_OK, &dg);
    t_assert_err(zw_load_run(&job, 1, store, dev, &o, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(w.done, (uint64_t)ROWS * COLS * 2);
    for (int i = 0; i < ROWS; i += 7) {
        ck_assert_int_eq(dev->ops->mat_unpack_row(dev, &mat, i, row), ZC_OK);
        for (int j = 0; j < COLS; j++) {
            const float want = zk_bf16_to_f32(head[i * COLS + j]);
            if (!(fabsf(row[j] - want) <= 0.0328f / 127 * 0.51f))
                ck_abort_msg("row %d, column %d: %g, want %g", i, j, (double)row[j], (double)want);
        }
    }
    dev->ops->free(dev, mat.data, mat.bytes);
    dev->ops->close(dev);
    zc_free(head);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: loading");
    TCase *tc = tcase_create("load");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, loads_everything_with_any_number_of_threads);
    tcase_add_test(tc, staging_memory_is_bounded);
    tcase_add_test(tc, a_symmetric_part_gets_zero_points_beside_others);
    tcase_add_test(tc, the_first_failure_ends_it);
    tcase_add_test(tc, a_file_that_shrinks_ends_it);
    tcase_add_test(tc, cancelling_ends_it);
    tcase_add_test(tc, a_real_device_gets_the_weights_as_the_file_says);
    tcase_add_test(tc, a_head_is_quantized_on_the_way);
    suite_add_tcase(s, tc);
    return t_run(s);
}
