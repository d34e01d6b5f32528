/* SPDX-License-Identifier: MIT */
/* The configuration: defaults, then the file, then the command line. Every key is one row of one
 * table, which the file, the options, --help and the manual share. Front thread and main. */
#ifndef ZORACD_SERVE_ZS_CONFIG_H
#define ZORACD_SERVE_ZS_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_buf.h"
#include "common/zc_log.h"
#include "zoracd/serve/zs_limits.h"

struct zc_diag;

struct zs_config {
    char *model;   /* NULL: the demo model */
    char *socket;  /* NULL: zc_sock_daemon_path decides */
    char *backend; /* "auto", "cpu", "cuda" */
    char *device, *kv_type, *caps;
    size_t context, threads, lm_head, memory_limit, max_sequences;
    size_t stop_timeout, stall_timeout; /* seconds */
    size_t socket_mode;
    bool exact, strict;
    size_t log_level; /* enum zc_log_level */
    struct zs_limits limits;
};

/* Our defaults. */
void zs_config_init(struct zs_config *c);
void zs_config_release(struct zs_config *c);

/* Reads a file. ZC_ENOTFOUND: it does not exist. ZC_EINVAL names file, line and key. */
int zs_config_read(struct zs_config *c, const char *path, struct zc_diag *dg);
/* The same from bytes; name is what diagnostics call it. */
int zs_config_parse(struct zs_config *c, const char *name, const char *text, size_t len,
                    struct zc_diag *dg);

/* Where the file is if -c does not say: the system's for root, else the user's; NULL if the
 * environment names no place. Free with zc_free. */
char *zs_config_default_path(void);

/* What the command line asks beside the keys. */
struct zs_cmdline {
    bool help, version, check;
    char *file; /* -c; borrowed from argv */
};
/* Reads -c, --help, --version and --check into ret, every other option into c. c NULL: only looks.
 * The command line is not changed; may be called again. ZC_EINVAL: the sentence for standard error.
 */
int zs_config_options(struct zs_config *c, struct zs_cmdline *ret, int argc, char **argv,
                      struct zc_diag *dg);

/* Checks values against each other, and refuses by name what this build does not do. */
int zs_config_check(const struct zs_config *c, struct zc_diag *dg);

/* Takes from `from` into c what may change while running; the names of the other keys that differ
 * are appended to ret_ignored, comma between them. */
void zs_config_reload(struct zs_config *c, const struct zs_config *from,
                      struct zc_buf *ret_ignored);

/* The options as --help shows them. */
void zs_config_help(struct zc_buf *b);

#endif
