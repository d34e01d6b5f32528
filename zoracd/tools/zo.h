/* SPDX-License-Identifier: MIT */
/* Command lines of zorac-bench and zorac-inspect: what both have. They run before anything else of
 * the program, and end it where the line is wrong. One thread. */
#ifndef ZORACD_TOOLS_ZO_H
#define ZORACD_TOOLS_ZO_H

#include "zoracd/engine/ze_engine.h"

/* Exit statuses. */
enum { ZO_OK = 0, ZO_FAILED = 1, ZO_USAGE = 2, ZO_REFUSED = 4 };

/* The name that the program says its errors under; its main file defines it. */
extern const char zo_program[];

/* Says what is wrong and where help is, and ends the program with ZO_USAGE. */
__attribute__((format(printf, 1, 2))) _Noreturn void zo_wrong_usage(const char *fmt, ...);
/* The same after getopt has said what is wrong. */
_Noreturn void zo_try_help(void);
/* Ends the program with this status, or with ZO_FAILED if what was printed did not go out. */
_Noreturn void zo_finish(int status);

/* Says what failed, in dg's words if it has any; the exit status for r. */
int zo_fail(int r, const char *what, const struct zc_diag *dg);

/* A whole number from min to max; option names it in the error. With ret_end, what follows the
 * number is the caller's to judge; without it, nothing may follow. */
long long zo_number(const char *option, const char *text, long long min, long long max,
                    const char **ret_end);

/* How a model is run: options that zoracd has under the same names; -b, too. */
enum { ZO_KV = 512, ZO_HEAD, ZO_EXACT, ZO_THREADS, ZO_CAPS };
/* clang-format off */
#define ZO_ENGINE_OPTIONS \
    {"kv-type", required_argument, NULL, ZO_KV}, \
    {"lm-head", required_argument, NULL, ZO_HEAD}, \
    {"exact", no_argument, NULL, ZO_EXACT}, \
    {"threads", required_argument, NULL, ZO_THREADS}, \
    {"caps", required_argument, NULL, ZO_CAPS}
/* clang-format on */

/* The option that getopt has returned as c, its argument in optarg. What is neither -b nor one of
 * ZO_ENGINE_OPTIONS ends the program as zo_try_help does. */
void zo_engine_option(struct ze_opts *o, int c);
/* After the last option: refuses those that contradict each other. */
void zo_engine_options_end(const struct ze_opts *o);

#endif
