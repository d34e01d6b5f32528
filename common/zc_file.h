/* SPDX-License-Identifier: MIT */
/* Whole files into memory, against a limit. Any thread. */
#ifndef COMMON_ZC_FILE_H
#define COMMON_ZC_FILE_H

#include <stddef.h>

struct zc_diag;

/* All bytes of the file at path (or of the pipe, until its writer ends), and a terminating NUL that
 * is not counted; the caller frees with zc_free. ZC_ENOTFOUND: there is none; ZC_ELIMIT: it has
 * over max bytes; ZC_ENOMEM; ZC_ESYS. Every diag begins with path. */
int zc_file_read(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                 struct zc_diag *dg);

#endif
