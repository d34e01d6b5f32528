/* SPDX-License-Identifier: MIT */
/* Files of a model's directory: opened without surprises, read with pread. Private to this room. */
#ifndef ZORACD_WEIGHTS_ZW_FILE_H
#define ZORACD_WEIGHTS_ZW_FILE_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;

/* Opens the regular file dir/name for reading. ZC_ENOTFOUND if there is none (what a link that
 * leads nowhere also is). Never blocks on a FIFO. */
int zw_file_open(int *ret_fd, uint64_t *ret_size, const char *dir, const char *name,
                 struct zc_diag *dg);

/* Reads exactly n bytes at off; the file having ended before is ZC_EFORMAT. */
int zw_file_read(int fd, uint64_t off, void *dst, size_t n, struct zc_diag *dg);

#endif
