/* SPDX-License-Identifier: MIT */
/* What the command lines of zorac-bench and zorac-inspect share: their errors, their end, numbers,
 * and how a model is run. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "kernels/zk.h"
#include "zoracd/tools/zo.h"

static const char *kv_type; /* as the line says it, if it does */

void zo_wrong_usage(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", zo_program);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    zo_try_help();
}

void zo_try_help(void)
{
    fprintf(stderr, "Try '%s --help'.\n", zo_program);
    exit(ZO_USAGE);
}

void zo_finish(int status)
{
    struct zc_diag dg;

    if (zc_file_flush_out(&dg) < 0) {
        fprintf(stderr, "%s: %s\n", zo_program, dg.text);
        status = ZO_FAILED;
    }
    exit(status);
}

int zo_fail(int r, const char *what, const struct zc_diag *dg)
{
    const char *why = dg->text[0] ? dg->text : zc_err_name(r);

    if (strstr(why, what)) /* who opened a file has named it already */
        fprintf(stderr, "%s: %s\n", zo_program, why);
    else
        fprintf(stderr, "%s: %s: %s\n", zo_program, what, why);
    return r == ZC_ELIMIT ? ZO_REFUSED : ZO_FAILED;
}

long long zo_number(const char *option, const char *text, long long min, long long max,
                    const char **ret_end)
{
    char *end;

    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno || n < min || n > max || (*end && !ret_end))
        zo_wrong_usage("%s takes a number from %lld to %lld, not '%s'", option, min, max, text);
    if (ret_end)
        *ret_end = end;
    return n;
}

void zo_engine_option(struct ze_opts *o, int c)
{
    struct zc_diag dg;

    switch (c) {
    case 'b':
        if (strcmp(optarg, "auto") != 0 && strcmp(optarg, "cuda") != 0 &&
            strcmp(optarg, "cpu") != 0)
            zo_wrong_usage("the back-end is auto, cuda or cpu, not '%s'", optarg);
        o->backend = optarg;
        break;
    case ZO_KV:
        if (strcmp(optarg, "f16") != 0 && strcmp(optarg, "fp8") != 0)
            zo_wrong_usage("--kv-type is f16 or fp8, not '%s'", optarg);
        kv_type = optarg;
        o->kv_f8 = strcmp(optarg, "fp8") == 0;
        break;
    case ZO_HEAD:
        o->head_bits = (int)zo_number("--lm-head", optarg, 8, 16, NULL);
        if (o->head_bits != 8 && o->head_bits != 16)
            zo_wrong_usage("--lm-head is 8 or 16, not '%s'", optarg);
        break;
    case ZO_EXACT:
        o->exact = true;
        break;
    case ZO_THREADS:
        o->threads = (int)zo_number("--threads", optarg, 1, 1024, NULL);
        break;
    case ZO_CAPS:
        if (zk_caps_parse(optarg, &o->caps, &dg) < 0)
            zo_wrong_usage("--caps: %s", dg.text);
        break;
    default:
        zo_try_help();
    }
}

void zo_engine_options_end(const struct ze_opts *o)
{
    if (kv_type && o->exact)
        zo_wrong_usage("--exact keeps keys and values in fp32, which contradicts --kv-type %s",
                       kv_type);
}
