/* SPDX-License-Identifier: MIT */
/* Whole files into memory, against a limit; the standard descriptors. Any thread. */
#ifndef COMMON_ZC_FILE_H
#define COMMON_ZC_FILE_H

#include <stddef.h>

struct zc_diag;

/* All bytes of the file at path, and a terminating NUL that is not counted; the caller frees with
 * zc_free. Never waits for somebody else: a pipe or a folder is refused. ZC_ENOTFOUND: there is
 * none; ZC_EFORMAT: it is no regular file (nor a device, as /dev/null is); ZC_ELIMIT: it has over
 * max bytes; ZC_ENOMEM; ZC_ESYS. Every diag begins with path. */
int zc_file_read(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                 struct zc_diag *dg);

/* The same of what a user names on a command line: a pipe is read until its writer ends. */
int zc_file_read_pipe(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                      struct zc_diag *dg);

/* Sends out what is buffered for standard output. ZC_ESYS and a sentence if that failed, or
 * anything before it. Last in main. */
int zc_file_flush_out(struct zc_diag *dg);

/* Fills the standard descriptors that are closed, so that no file or socket gets one of these
 * numbers and with it what is printed. What is filled in can't be read or written: its use is an
 * error as before. First in main. */
void zc_file_guard_std(void);

#endif
