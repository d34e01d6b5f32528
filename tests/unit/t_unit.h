/* SPDX-License-Identifier: MIT */
/* What every unit test program shares: running one suite, and naming an error that came back. */
#ifndef TESTS_UNIT_T_UNIT_H
#define TESTS_UNIT_T_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/zc_err.h"

/* Asserts a return value and shows its name and the diagnostic when it differs. */
#define t_assert_err(got, want, dg)                                                                \
    do {                                                                                           \
        int t_got = (got);                                                                         \
        ck_assert_msg(t_got == (want), "got %s (%s), want %s", zc_err_name(t_got > 0 ? 0 : t_got), \
                      (dg)->text, zc_err_name(want));                                              \
    } while (0)

/* A new folder, empty. It goes at the end in any case, with what is in it. */
#define T_DIR 128
static inline void t_dir(char dir[T_DIR])
{
    const char *tmp = getenv("TMPDIR");

    if (snprintf(dir, T_DIR, "%s/zorac-test-XXXXXX", tmp ? tmp : "/tmp") >= T_DIR ||
        !mkdtemp(dir)) {
        perror(dir);
        abort();
    }
}

static inline int t_run(Suite *s)
{
    char dir[T_DIR], rm[T_DIR + 16];

    /* A test that fails or dies leaves its folders behind: they are all in one. */
    t_dir(dir);
    setenv("TMPDIR", dir, 1);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    snprintf(rm, sizeof rm, "rm -rf '%s'", dir);
    failed += system(rm) != 0;
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
