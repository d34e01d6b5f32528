/* SPDX-License-Identifier: MIT */
/* Log lines of the daemon: to standard error, with the priority prefix that the journal reads
 * when standard error is the journal, or to the journal itself. Prompt and reply text is never
 * logged. Any thread. */
#ifndef COMMON_ZC_LOG_H
#define COMMON_ZC_LOG_H

#include <stdbool.h>

enum zc_log_level {
    ZC_LOG_ERROR,
    ZC_LOG_WARNING,
    ZC_LOG_NOTICE,
    ZC_LOG_INFO,
    ZC_LOG_DEBUG,
    ZC_LOG_N_LEVELS
};

/* Lines above this level are dropped. Default ZC_LOG_NOTICE. */
void zc_log_set_level(enum zc_log_level level);
bool zc_log_is_on(enum zc_log_level level);
/* "error" .. "debug" to the level; ZC_EINVAL for another word. */
int zc_log_level_from_name(const char *name, enum zc_log_level *ret_level);
const char *zc_log_level_name(enum zc_log_level level);

/* One line; the newline is added, control characters are replaced. */
void zc_log(enum zc_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What a line is about. */
struct zc_log_about {
    unsigned uid;
    long long request;   /* its id; -1: none */
    const char *session; /* NULL: none */
};
/* The same; in the journal the line has the fields ZORAC_UID, ZORAC_REQUEST and ZORAC_SESSION. */
void zc_log_about(enum zc_log_level level, const struct zc_log_about *about, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether lines on standard error begin with the priority that the journal reads there. */
void zc_log_prefix(bool on);

/* From now on lines go to the journal's socket at path as datagrams of fields, not to standard
 * error; path NULL: to standard error again. ZC_ESYS: it can't be reached, and nothing changes. Not
 * while other threads log. */
int zc_log_to_journal(const char *path);

#endif
