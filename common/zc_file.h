/* SPDX-License-Identifier: MIT */
/* Whole files into memory, against a limit. Any thread. */
#ifndef COMMON_ZC_FILE_H
#define COMMON_ZC_FILE_H

#include <stddef.h>

struct zc_diag;

/* All bytes of the regular file at path, and a terminating NUL that is not counted; the caller
 * frees with zc_free. ZC_ENOTFOUND: there is none; ZC_ELIMIT: it has over max bytes; ZC_EFORMAT: it
 * is something else than a file, or became shorter while it was read. Every diag begins with path.
 */
int zc_file_read(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                 struct zc_diag *dg);

#endif
