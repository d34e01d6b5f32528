/* SPDX-License-Identifier: MIT */
/* What every unit test program shares: running one suite, and naming an error that came back. */
#ifndef TESTS_UNIT_T_UNIT_H
#define TESTS_UNIT_T_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "common/zc_err.h"

/* Asserts a return value and shows its name and the diagnostic when it differs. */
#define t_assert_err(got, want, dg)                                                                \
    do {                                                                                           \
        int t_got = (got);                                                                         \
        ck_assert_msg(t_got == (want), "got %s (%s), want %s", zc_err_name(t_got > 0 ? 0 : t_got), \
                      (dg)->text, zc_err_name(want));                                              \
    } while (0)

static inline int t_run(Suite *s)
{
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
