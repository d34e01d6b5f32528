/* SPDX-License-Identifier: MIT */
/* Unit tests of what happens to layers after they are found: parts that become one matrix, and
 * plain weights that become 8 bits. */
#include "config.h"

#include <math.h>
#include <string.h>

#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_linear.h"
#include "zoracd/weights/zw_quantize.h"

static struct zc_diag dg;

/* ---- joining ------------------------------------------------------------------------------ */

START_TEST(parts_join_or_say_why_not)
{
    struct zw_linear a = {.name = "a",
                          .desc = {ZK_W4A, 8, 64, 32, ZK_BF16, true, false, ZK_JOIN_ROWS}};
    struct zw_linear b = {.name = "b",
                          .desc = {ZK_W4A, 16, 64, 32, ZK_BF16, false, false, ZK_JOIN_ROWS}};
    const struct zw_linear *parts[3] = {&a, &b, &b};
    struct zk_mat_desc d;

    t_assert_err(zw_linear_join(&d, parts, 3, ZK_JOIN_ROWS, &dg), ZC_OK, &dg);
    ck_assert_int_eq(d.n, 40);
    ck_assert(d.has_zero && !d.has_perm && d.join == ZK_JOIN_ROWS);
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_PAIRS, &dg), ZC_EUNSUPPORTED, &dg);
    t_assert_err(zw_linear_join(&d, parts + 1, 2, ZK_JOIN_PAIRS, &dg), ZC_OK, &dg);
    ck_assert_int_eq(d.n, 32);
    ck_assert_int_eq(d.join, ZK_JOIN_PAIRS);
    b.desc.group = 64;
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_ROWS, &dg), ZC_EUNSUPPORTED, &dg);
    b.desc.group = 32;
    b.desc.type = ZK_F16;
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_ROWS, &dg), ZC_EUNSUPPORTED, &dg);
    b.desc.type = ZK_BF16;
    b.desc.has_perm = true;
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_ROWS, &dg), ZC_EUNSUPPORTED, &dg);
    t_assert_err(zw_linear_join(&d, parts + 1, 1, ZK_JOIN_ROWS, &dg), ZC_OK, &dg);
    ck_assert(d.has_perm);
}
END_TEST

/* ---- 8 bits ------------------------------------------------------------------------------- */

START_TEST(quantizing_to_8_bits_stays_within_half_a_step)
{
    enum { ROWS = 37, K = 300, GROUPS = 3 };
    static uint16_t w[ROWS * K];
    static uint8_t q[ROWS * K];
    uint16_t scales[ROWS * GROUPS];
    uint32_t state = 9;

    for (int type = 0; type < 2; type++) {
        for (int i = 0; i < ROWS * K; i++) {
            /* magnitudes from subnormal fp16 to large, row by row */
            const float v = (float)((int)(t_random(&state) >> 8 & 0xffff) - 32768) / 32768.0f *
                            ldexpf(1, i / K - 20);
            w[i] = type ? zk_f32_to_bf16(v) : zk_f32_to_f16(v);
        }
        t_assert_err(zw_quantize_rows(q, scales, w, type ? ZK_BF16 : ZK_F16, ROWS, K, &dg), ZC_OK,
                     &dg);
        for (int i = 0; i < ROWS * K; i++) {
            const float s = zk_f16_to_f32(scales[i / K * GROUPS + i % K / ZW_W8A_GROUP]);
            const float v = type ? zk_bf16_to_f32(w[i]) : zk_f16_to_f32(w[i]);
            ck_assert_int_ge(q[i], 1);
            ck_assert_msg(fabsf(((float)q[i] - 128) * s - v) <= s * 0.5001f,
                          "%d: %g as %d times %g", i, (double)v, q[i] - 128, (double)s);
        }
    }
}
END_TEST

START_TEST(quantizing_refuses_what_is_no_number)
{
    static const uint16_t f16[] = {0x7c00, 0xfc00, 0x7e00},
                          bf16[] = {0x7f80, 0xff80, 0x7fc0, 0x7e00};
    uint16_t w[4] = {0x3c00, 0, 0, 0}, scales[2];
    uint8_t q[4];

    for (int i = 0; i < 3; i++) {
        w[3] = f16[i];
        t_assert_err(zw_quantize_rows(q, scales, w, ZK_F16, 2, 2, &dg), ZC_EFORMAT, &dg);
        ck_assert_ptr_nonnull(strstr(dg.text, "row 1"));
    }
    for (int i = 0; i < 4; i++) {
        w[3] = bf16[i];
        t_assert_err(zw_quantize_rows(q, scales, w, ZK_BF16, 2, 2, &dg), ZC_EFORMAT, &dg);
    }
    w[3] = 0x7bff;
    t_assert_err(zw_quantize_rows(q, scales, w, ZK_F16, 2, 2, &dg), ZC_OK, &dg);
    ck_assert_int_eq(q[3], 255);
    ck_assert_int_eq(q[2], 128);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: joining, 8 bits");
    TCase *tc = tcase_create("quantize");

    tcase_add_test(tc, parts_join_or_say_why_not);
    tcase_add_test(tc, quantizing_to_8_bits_stays_within_half_a_step);
    tcase_add_test(tc, quantizing_refuses_what_is_no_number);
    suite_add_tcase(s, tc);
    return t_run(s);
}
