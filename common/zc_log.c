/* SPDX-License-Identifier: MIT */
/* One write(2) per line, so that lines of several threads never mix. */
#include "common/zc_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_err.h"

static const char *const names[ZC_LOG_N_LEVELS] = {"error", "warning", "notice", "info", "debug"};
/* sd-daemon's priorities: 3 error, 4 warning, 5 notice, 6 info, 7 debug. */
static const char *const prefixes[ZC_LOG_N_LEVELS] = {"<3>", "<4>", "<5>", "<6>", "<7>"};

static _Atomic int current_level = ZC_LOG_NOTICE;

void zc_log_set_level(enum zc_log_level level)
{
    atomic_store(&current_level, (int)level);
}

bool zc_log_is_on(enum zc_log_level level)
{
    return (int)level <= atomic_load(&current_level);
}

int zc_log_level_from_name(const char *name, enum zc_log_level *ret_level)
{
    for (int i = 0; i < ZC_LOG_N_LEVELS; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_level = (enum zc_log_level)i;
            return ZC_OK;
        }
    }
    return ZC_EINVAL;
}

const char *zc_log_level_name(enum zc_log_level level)
{
    return names[level];
}

void zc_log(enum zc_log_level level, const char *fmt, ...)
{
    char line[1024];

    if (!zc_log_is_on(level))
        return;
    /* JOURNAL_STREAM says that standard error is the journal, which strips the prefix. */
    int n = snprintf(line, sizeof line, "%szoracd: ",
                     getenv("JOURNAL_STREAM") ? prefixes[level] : "");
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    if (m < 0)
        return;
    n += m;
    if ((size_t)n > sizeof line - 2)
        n = sizeof line - 2;
    for (char *p = line; p < line + n; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    line[n++] = '\n';
    ssize_t w = write(STDERR_FILENO, line, (size_t)n);
    (void)w; /* nowhere left to say it */
}
