/* SPDX-License-Identifier: MIT */
/* Unit tests of what is around the kernels: conversions, capabilities, memory, threads, what is
 * refused. The kernels themselves: tests/kcheck. */
#include "config.h"

#include <math.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "common/zc_mem.h"
#include "kernels/cpu/zk_cpu.h"
#include "tests/unit/t_unit.h"

/* ---- conversions ------------------------------------------------------------------------- */

START_TEST(every_half_survives_the_way_through_a_float)
{
    for (unsigned h = 0; h < 65536; h++) {
        float f = zk_f16_to_f32((uint16_t)h);
        if (isnan(f))
            ck_assert((zk_f32_to_f16(f) & 0x7fff) > 0x7c00);
        else
            ck_assert_uint_eq(zk_f32_to_f16(f), h);
        float b = zk_bf16_to_f32((uint16_t)h);
        if (isnan(b))
            ck_assert((zk_f32_to_bf16(b) & 0x7fff) > 0x7f80);
        else
            ck_assert_uint_eq(zk_f32_to_bf16(b), h);
    }
}
END_TEST

START_TEST(halves_round_to_nearest_even)
{
    static const struct {
        float f;
        uint16_t h;
    } cases[] = {
        {1.0f, 0x3c00},          {0x1.002p0f, 0x3c00}, /* a tie: to even, down */
        {0x1.006p0f, 0x3c02},                          /* a tie: to even, up */
        {0x1.002002p0f, 0x3c01},                       /* just over a tie */
        {65504.0f, 0x7bff},      {65519.996f, 0x7bff},
        {65520.0f, 0x7c00},                              /* overflow gives infinity */
        {-1e30f, 0xfc00},        {0x1p-24f, 0x0001},     /* the least */
        {0x1p-25f, 0x0000},                              /* a tie with zero */
        {0x1.8p-25f, 0x0001},    {0x1.ffcp-15f, 0x0400}, /* rounds up into the normal numbers */
        {-0.0f, 0x8000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_uint_eq(zk_f32_to_f16(cases[i].f), cases[i].h);
    ck_assert_uint_eq(zk_f32_to_bf16(0x1.01p0f), 0x3f80);
    ck_assert_uint_eq(zk_f32_to_bf16(0x1.03p0f), 0x3f82);
    ck_assert_uint_eq(zk_f32_to_bf16(0x1.fffffep127f), 0x7f80);
}
END_TEST

START_TEST(every_e4m3_survives_the_way_through_a_float)
{
    for (unsigned c = 0; c < 256; c++)
        if ((c & 0x7f) != 0x7f) /* NaN, which no page holds */
            ck_assert_uint_eq(zk_f32_to_f8(zk_f8_to_f32((uint8_t)c)), c);
    ck_assert(zk_f8_to_f32(0x7e) == 448 && zk_f8_to_f32(0x81) == -0x1p-9f);
}
END_TEST

/* Against the definition: the nearest of all codes, of two the even one. */
START_TEST(e4m3_rounds_to_nearest_even)
{
    for (int i = -4096; i <= 4096; i++)
        for (int k = 0; k < 3; k++) {
            float f = (float)i * (k == 0 ? 0x1p-13f : k == 1 ? 0x1p-5f : 448.0f / 4096);
            uint8_t c = zk_f32_to_f8(f);
            float err = fabsf(zk_f8_to_f32(c) - f);
            bool is_nearest = true, is_tie = false;
            for (unsigned o = 0; o < 127; o++) {
                float other = fabsf(zk_f8_to_f32((uint8_t)o) - fabsf(f));
                is_nearest = is_nearest && other >= err;
                is_tie = is_tie || (other == err && o != (c & 0x7f));
            }
            if (!is_nearest || (is_tie && c & 1))
                ck_abort_msg("%g gets code %u", (double)f, c);
        }
}
END_TEST

START_TEST(the_scale_of_an_e4m3_head_is_the_least_that_holds_it)
{
    for (int e = -15; e <= 7; e++) {
        float full = ldexpf(448, e);
        ck_assert_int_eq(zk_f8_exponent(full), e);
        ck_assert_int_eq(zk_f8_exponent(nextafterf(full, 0)), e);
        if (e < 7)
            ck_assert_int_eq(zk_f8_exponent(nextafterf(full, INFINITY)), e + 1);
    }
    ck_assert_int_eq(zk_f8_exponent(0), -15);
    ck_assert_int_eq(zk_f8_exponent(0x1p-140f), -15);
}
END_TEST

/* ---- capabilities ------------------------------------------------------------------------ */

START_TEST(capabilities_by_name)
{
    unsigned caps = 99;
    struct zc_diag dg = {""};

    t_assert_err(zk_caps_parse("none", &caps, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(caps, 0);
    t_assert_err(zk_caps_parse("avx2", &caps, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(caps, ZK_CAP_PORTABLE | ZK_CAP_AVX2);
    t_assert_err(zk_caps_parse("portable,avx512", &caps, &dg), ZC_OK, &dg);
    ck_assert_str_eq(zk_caps_name(caps), "avx512");
    caps = 7;
    ck_assert_int_eq(zk_caps_parse("avx2,sse9", &caps, &dg), ZC_EINVAL);
    ck_assert_ptr_nonnull(strstr(dg.text, "sse9"));
    ck_assert_int_eq(zk_caps_parse("", &caps, &dg), ZC_EINVAL);
    ck_assert_int_eq(zk_caps_parse("avx2,", &caps, &dg), ZC_EINVAL);
    ck_assert_int_eq(zk_caps_parse("avx", &caps, &dg), ZC_EINVAL);
    ck_assert_uint_eq(caps, 7); /* untouched by a failure */
    ck_assert_str_eq(zk_caps_name(0), "none");
    ck_assert(zk_caps_detect() & ZK_CAP_PORTABLE);
}
END_TEST

START_TEST(the_mask_decides_which_kernels_run)
{
    struct zk_dev *dev = NULL;
    struct zc_diag dg = {""};
    unsigned have = zk_caps_detect();
    const struct {
        unsigned mask;
        const char *name;
    } cases[] = {{0, "reference"},
                 {ZK_CAP_PORTABLE, "portable"},
                 {ZK_CAP_ALL, have & ZK_CAP_AVX512 ? "avx512"
                              : have & ZK_CAP_AVX2 ? "avx2"
                                                   : "portable"}};
    for (int i = 0; i < 3; i++) {
        struct zk_cpu_opts o = {.caps = cases[i].mask, .threads = 2};
        t_assert_err(zk_cpu_open(&dev, &o, &dg), ZC_OK, &dg);
        ck_assert_str_eq(dev->ops->name, cases[i].name);
        ck_assert_ptr_nonnull(strstr(dev->label, cases[i].name));
        dev->ops->close(dev);
    }
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

START_TEST(threads_follow_the_affinity)
{
    cpu_set_t old, one;
    int n = zk_cpu_threads_default();

    ck_assert_int_ge(n, 1);
    ck_assert_int_eq(sched_getaffinity(0, sizeof old, &old), 0);
    ck_assert_int_le(n, CPU_COUNT(&old));
    CPU_ZERO(&one);
    for (int c = 0; c < CPU_SETSIZE && CPU_COUNT(&one) == 0; c++)
        if (CPU_ISSET(c, &old))
            CPU_SET(c, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(zk_cpu_threads_default(), 1);
    sched_setaffinity(0, sizeof old, &old);
}
END_TEST

START_TEST(an_unreasonable_number_of_threads_is_refused)
{
    struct zk_dev *dev = NULL;
    struct zc_diag dg = {""};
    struct zk_cpu_opts o = {.caps = ZK_CAP_ALL, .threads = 1000000};

    ck_assert_int_eq(zk_cpu_open(&dev, &o, &dg), ZC_EINVAL);
    ck_assert_ptr_nonnull(strstr(dg.text, "1000000"));
    ck_assert_ptr_null(dev);
}
END_TEST

#define PARTS 5

/* What the rounds below are about; plain counters, because a part is one thread's and a round is
 * over before the next begins. */
struct round_job {
    int done[PARTS], n[PARTS];
    long number;
    bool slow;
};

static void count_part(void *arg, int th, int n)
{
    struct round_job *j = arg;

    j->done[th]++;
    j->n[th] = n;
    if (j->slow && (j->number + th) % PARTS == 0)
        sched_yield();
}

/* More threads than processors, so that workers come late or not at all. */
START_TEST(every_part_of_a_round_is_done_once)
{
    struct zk_pool *pool;

    ck_assert_int_eq(zk_pool_new(&pool, PARTS, NULL), ZC_OK);
    for (long i = 0; i < 3000; i++) {
        struct round_job j = {.number = i, .slow = i % 3 == 0};
        zk_pool_run(pool, count_part, &j);
        for (int th = 0; th < PARTS; th++)
            ck_assert_msg(j.done[th] == 1 && j.n[th] == PARTS, "round %ld, part %d of %d: %d times",
                          i, th, j.n[th], j.done[th]);
    }
    zk_pool_free(pool);
}
END_TEST

/* An idle pool uses no processor: its workers sleep. */
START_TEST(idle_workers_sleep)
{
    struct zk_dev *dev = NULL;
    struct zk_cpu_opts o = {.caps = ZK_CAP_ALL, .threads = 4};
    struct timespec nap = {.tv_nsec = 20000000}, a, b;
    static float x[64 * 1024], y[64 * 1024];
    static int32_t rows[64];

    ck_assert_int_eq(zk_cpu_open(&dev, &o, NULL), ZC_OK);
    dev->ops->gather(dev, y, x, rows, 64, 1024); /* wakes them */
    nanosleep(&nap, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < 10; i++)
        nanosleep(&nap, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double used = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
    ck_assert_double_lt(used, 0.02);
    dev->ops->close(dev);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------ */

START_TEST(device_memory_is_aligned_and_zero)
{
    static const size_t sizes[] = {1, 63, 4096, 65535, 65536, 100000, 2097152, 5000001};
    struct zk_dev *dev = NULL;
    struct zk_cpu_opts o = {.caps = ZK_CAP_ALL, .threads = 1, .huge_pages = true};

    ck_assert_int_eq(zk_cpu_open(&dev, &o, NULL), ZC_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = NULL;
        ck_assert_int_eq(dev->ops->alloc(dev, &p, sizes[i], NULL), ZC_OK);
        ck_assert_uint_eq((uintptr_t)p % 64, 0);
        unsigned char any = 0;
        for (size_t j = 0; j < sizes[i]; j++)
            any |= ((unsigned char *)p)[j];
        ck_assert_uint_eq(any, 0);
        memset(p, 1, sizes[i]);
        dev->ops->free(dev, p, sizes[i]);
    }
    dev->ops->close(dev);
}
END_TEST

START_TEST(no_memory_is_an_error_and_leaves_nothing)
{
    struct zc_diag dg = {""};
    struct zk_cpu_opts o = {.caps = ZK_CAP_ALL, .threads = 2};
    struct zk_dev *dev = NULL;
    void *p = NULL;

    ck_assert_int_eq(zk_cpu_open(&dev, &o, NULL), ZC_OK);
    ck_assert_int_lt(dev->ops->alloc(dev, &p, SIZE_MAX - 5000, &dg), 0);
    ck_assert_int_lt(dev->ops->alloc(dev, &p, SIZE_MAX / 2, &dg), 0);
    ck_assert_ptr_null(p);
    zc_mem_fail_at(1);
    ck_assert_int_eq(dev->ops->alloc(dev, &p, 100, &dg), ZC_ENOMEM);
    zc_mem_fail_at(0);
    dev->ops->close(dev);
    dev = NULL;
    zc_mem_fail_at(1);
    ck_assert_int_eq(zk_cpu_open(&dev, &o, &dg), ZC_ENOMEM);
    zc_mem_fail_at(1);
    ck_assert_int_eq(zk_ref_open(&dev, ZK_REF_INT8, &dg), ZC_ENOMEM);
    zc_mem_fail_at(0);
    ck_assert_ptr_null(dev);
}
END_TEST

/* ---- what is refused --------------------------------------------------------------------- */

struct refusal {
    struct zk_mat_desc d;
    const char *why; /* a word of the diagnostic */
};

static struct zk_dev *any_device(int i)
{
    struct zk_dev *dev = NULL;
    struct zk_cpu_opts o = {.caps = i ? ZK_CAP_ALL : 0, .threads = 1};
    ck_assert_int_eq(zk_cpu_open(&dev, &o, NULL), ZC_OK);
    return dev;
}

START_TEST(descriptions_that_make_no_matrix)
{
    static const struct refusal cases[] = {
        {{.form = ZK_W4A, .n = 0, .k = 32, .group = 32, .type = ZK_F16}, "0 x 32"},
        {{.form = ZK_W4A, .n = 1, .k = -1, .group = 32, .type = ZK_F16}, "1 x -1"},
        {{.form = ZK_W32, .n = 1, .k = ZK_MAX_DIM + 1, .type = ZK_F32}, "side"},
        {{.form = ZK_W4A, .n = 16, .k = 64, .group = 0, .type = ZK_F16}, "group"},
        {{.form = ZK_W8A, .n = 16, .k = 64, .group = 48, .type = ZK_F16}, "group"},
        {{.form = ZK_W4L, .n = 16, .k = 64, .group = 48, .type = ZK_BF16}, "group"},
        {{.form = ZK_W8F, .n = 16, .k = 64, .group = 0, .type = ZK_BF16}, "group"},
        {{.form = ZK_W4L, .n = 16, .k = 64, .group = 64, .has_zero = true}, "zero"},
        {{.form = ZK_W16, .n = 16, .k = 64, .type = ZK_F32, .has_zero = true}, "type"},
        {{.form = ZK_W32, .n = 16, .k = 64, .type = ZK_BF16}, "type"},
        {{.form = ZK_W32, .n = 15, .k = 64, .type = ZK_F32, .join = ZK_JOIN_PAIRS}, "odd"}};
    for (int i = 0; i < 2; i++) {
        struct zk_dev *dev = any_device(i);
        for (size_t j = 0; j < sizeof cases / sizeof cases[0]; j++) {
            struct zk_mat m = {.d = cases[j].d};
            struct zk_canon c = {.form = m.d.form};
            struct zc_diag dg = {""};
            ck_assert_uint_eq(dev->ops->mat_bytes(dev, &m.d), 0);
            ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
            ck_assert_msg(strstr(dg.text, cases[j].why) != NULL, "%s", dg.text);
        }
        dev->ops->close(dev);
    }
}
END_TEST

START_TEST(parts_that_do_not_fit_their_matrix)
{
    static const uint8_t q[16 * 32], zero[16] = {3, 16};
    static const uint16_t scale[16];
    static int32_t perm[64], other[64];
    for (int i = 0; i < 64; i++)
        perm[i] = other[63 - i] = i;
    for (int i = 0; i < 2; i++) {
        struct zk_dev *dev = any_device(i);
        struct zc_diag dg = {""};
        struct zk_mat m = {.d = {.form = ZK_W4A, .n = 16, .k = 64, .group = 64, .type = ZK_F16}};
        struct zk_canon c = {.form = ZK_W4A,
                             .n = 16,
                             .k = 64,
                             .group = 64,
                             .type = ZK_F16,
                             .q = q,
                             .scale = scale},
                        bad;
        static _Alignas(64) unsigned char room[1 << 16];
        m.data = room;
        m.bytes = sizeof room;
        t_assert_err(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_OK, &dg);
        bad = c, bad.n = 15;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        bad = c, bad.n = 17;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        bad = c, bad.k = 32;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        bad = c, bad.zero = zero; /* not announced */
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        m.d.has_zero = true; /* announced, and over 15 */
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        ck_assert_ptr_nonnull(strstr(dg.text, "16"));
        m.d.has_zero = false;
        m.d.has_perm = true;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
        bad = c, bad.perm = perm;
        t_assert_err(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_OK, &dg);
        perm[5] = 64;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        perm[5] = 6; /* twice */
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &bad, 1, &dg), ZC_EINVAL);
        perm[5] = 5;
        struct zk_canon two[2] = {bad, bad};
        two[1].perm = other;
        m.d.n = 32;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, two, 2, &dg), ZC_EINVAL);
        ck_assert_ptr_nonnull(strstr(dg.text, "order"));
        m.bytes = 64;
        two[1].perm = perm;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, two, 2, &dg), ZC_EINVAL);
        dev->ops->close(dev);
    }
}
END_TEST

/* What a table and fp8 codes may not hold, on both layouts. */
START_TEST(tables_and_fp8_codes_are_checked)
{
    static _Alignas(64) unsigned char room[1 << 16];
    static uint8_t q[16 * 64];
    static const float scale[16];
    float table[16] = {1}, other[16] = {1};
    for (int i = 0; i < 2; i++) {
        struct zk_dev *dev = any_device(i);
        struct zc_diag dg = {""};
        struct zk_mat m = {.d = {.form = ZK_W4L, .n = 16, .k = 64, .group = 64},
                           .data = room,
                           .bytes = sizeof room};
        struct zk_canon c = {.form = ZK_W4L, .n = 16, .k = 64, .group = 64, .q = q, .scale = scale};
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
        ck_assert_ptr_nonnull(strstr(dg.text, "table"));
        c.table = table;
        t_assert_err(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_OK, &dg);
        table[7] = NAN;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
        ck_assert_ptr_nonnull(strstr(dg.text, "number 7"));
        table[7] = 65536;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
        table[7] = 0;
        struct zk_canon two[2] = {c, c};
        two[1].table = other;
        m.d.n = 32;
        t_assert_err(dev->ops->mat_pack(dev, &m, two, 2, &dg), ZC_OK, &dg);
        other[15] = 0.5f;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, two, 2, &dg), ZC_EINVAL);
        other[15] = 0;
        m.d = (struct zk_mat_desc){.form = ZK_W8F, .n = 16, .k = 64, .group = 64};
        c.form = ZK_W8F;
        t_assert_err(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_OK, &dg);
        q[2 * 64 + 5] = 0xff;
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, &dg), ZC_EINVAL);
        ck_assert_ptr_nonnull(strstr(dg.text, "(2, 5)"));
        q[2 * 64 + 5] = 0;
        dev->ops->close(dev);
    }
}
END_TEST

/* Integers stay what they are; NF4's numbers, within half a unit, and no other unit does better. */
START_TEST(a_table_becomes_the_nearest_int8_codes)
{
    static const float mxfp4[16] = {0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                    -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    static const float iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                  1,    13,   25,  38,  53,  69,  89,  113};
    static const float nf4[16] = {-1,           -0.69619280F, -0.52507305F, -0.39491749F,
                                  -0.28444138F, -0.18477343F, -0.09105004F, 0,
                                  0.07958030F,  0.16093020F,  0.24611230F,  0.33791524F,
                                  0.44070983F,  0.56261700F,  0.72295684F,  1};
    static const float zero[16];
    int8_t code[16];
    float unit = zk_table_to_q8(code, mxfp4), least = 0;
    for (int i = 0; i < 16; i++)
        ck_assert_float_eq_tol(unit * code[i], mxfp4[i], 1e-6f);
    unit = zk_table_to_q8(code, iq4);
    ck_assert(unit == 1);
    for (int i = 0; i < 16; i++)
        ck_assert(code[i] == iq4[i]);
    unit = zk_table_to_q8(code, nf4);
    for (int i = 0; i < 16; i++) {
        float err = unit * code[i] - nf4[i];
        ck_assert(fabsf(err) <= 0.501f * unit);
        least += err * err;
    }
    ck_assert(code[0] == -code[15] && code[7] == 0 && unit * code[15] == 1);
    for (int m = 1; m < 128; m++) {
        float sum = 0;
        for (int i = 0; i < 16; i++) {
            float err = nearbyintf(nf4[i] * (float)m) / (float)m - nf4[i];
            sum += err * err;
        }
        ck_assert(sum >= least * 0.999f);
    }
    ck_assert(zk_table_to_q8(code, zero) == 0 && code[0] == 0 && code[15] == 0);
}
END_TEST

START_TEST(a_product_wants_what_was_prepared_for_it)
{
    static _Alignas(64) unsigned char room[1 << 16], rows[1 << 14];
    static const float w[16 * 64];
    float x[64] = {1}, y[16];
    for (int i = 0; i < 2; i++) {
        struct zk_dev *dev = any_device(i);
        struct zk_mat m = {.d = {.form = ZK_W32, .n = 16, .k = 64, .type = ZK_F32},
                           .data = room,
                           .bytes = sizeof room};
        struct zk_canon c = {.form = ZK_W32, .n = 16, .k = 64, .type = ZK_F32, .w = w};
        struct zk_act a = {.kind = ZK_ACT_F32, .k = 64, .data = rows};
        ck_assert_int_eq(dev->ops->mat_pack(dev, &m, &c, 1, NULL), ZC_OK);
        ck_assert_int_eq(m.act, ZK_ACT_F32);
        ck_assert_int_eq(dev->ops->to_act(dev, &a, x, 64, 1, 64, NULL), ZC_OK);
        ck_assert_int_eq(dev->ops->matmul(dev, y, 16, &a, &m, NULL, 1, false), ZC_OK);
        ck_assert_int_eq(dev->ops->matmul(dev, y, 16, &a, &m, NULL, 2, false), ZC_EINVAL);
        ck_assert_int_eq(dev->ops->matmul_swiglu(dev, &a, &a, &m, NULL, 1, NULL), ZC_EINVAL);
        a.kind = ZK_ACT_Q8;
        ck_assert_int_eq(dev->ops->matmul(dev, y, 16, &a, &m, NULL, 1, false), ZC_EINVAL);
        a.kind = ZK_ACT_F32;
        a.k = 32;
        ck_assert_int_eq(dev->ops->matmul(dev, y, 16, &a, &m, NULL, 1, false), ZC_EINVAL);
        dev->ops->close(dev);
    }
}
END_TEST

START_TEST(probes_measure_something)
{
    struct zk_dev *dev = any_device(1);
    ck_assert_double_gt(zk_probe_memory(dev, 1 << 22, 2), 1e8);
    ck_assert_double_gt(dev->ops->probe_peak(dev, ZK_ACT_Q8, 5), 1e7);
    ck_assert_double_gt(dev->ops->probe_peak(dev, ZK_ACT_F32, 5), 1e7);
    dev->ops->close(dev);
    dev = any_device(0);
    ck_assert_double_eq(zk_probe_memory(dev, 1 << 22, 2), 0);
    ck_assert_double_eq(dev->ops->probe_peak(dev, ZK_ACT_F32, 5), 0);
    dev->ops->close(dev);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kernels");
    TCase *tc = tcase_create("kernels");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_half_survives_the_way_through_a_float);
    tcase_add_test(tc, halves_round_to_nearest_even);
    tcase_add_test(tc, every_e4m3_survives_the_way_through_a_float);
    tcase_add_test(tc, e4m3_rounds_to_nearest_even);
    tcase_add_test(tc, the_scale_of_an_e4m3_head_is_the_least_that_holds_it);
    tcase_add_test(tc, capabilities_by_name);
    tcase_add_test(tc, the_mask_decides_which_kernels_run);
    tcase_add_test(tc, threads_follow_the_affinity);
    tcase_add_test(tc, an_unreasonable_number_of_threads_is_refused);
    tcase_add_test(tc, every_part_of_a_round_is_done_once);
    tcase_add_test(tc, idle_workers_sleep);
    tcase_add_test(tc, device_memory_is_aligned_and_zero);
    tcase_add_test(tc, no_memory_is_an_error_and_leaves_nothing);
    tcase_add_test(tc, descriptions_that_make_no_matrix);
    tcase_add_test(tc, parts_that_do_not_fit_their_matrix);
    tcase_add_test(tc, tables_and_fp8_codes_are_checked);
    tcase_add_test(tc, a_table_becomes_the_nearest_int8_codes);
    tcase_add_test(tc, a_product_wants_what_was_prepared_for_it);
    tcase_add_test(tc, probes_measure_something);
    suite_add_tcase(s, tc);
    return t_run(s);
}
