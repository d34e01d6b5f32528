/* SPDX-License-Identifier: MIT */
/* The header of a safetensors file: names to views, every view checked against the others and
 * against the file's size. Pure: works on memory, for the store, tests and fuzzing. */
#ifndef ZORACD_WEIGHTS_ZW_HEADER_H
#define ZORACD_WEIGHTS_ZW_HEADER_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;

enum zw_dtype {
    ZW_BOOL,
    ZW_U8,
    ZW_I8,
    ZW_I16,
    ZW_U16,
    ZW_I32,
    ZW_U32,
    ZW_I64,
    ZW_U64,
    ZW_F16,
    ZW_BF16,
    ZW_F32,
    ZW_F64,
    ZW_F8_E4M3,
    ZW_F8_E5M2,
    ZW_OTHER, /* a dtype of the format that nothing here reads; its size is known */
    ZW_N_DTYPES
};

#define ZW_MAX_RANK         8
#define ZW_MAX_NAME         512         /* bytes of a tensor's name */
#define ZW_MAX_FILE_TENSORS 100000      /* in one file */
#define ZW_MAX_HEADER_BYTES 100000000ul /* the format's own limit */

/* Borrowed: from the store, or for the duration of a zw_header_cb. */
struct zw_tensor {
    const char *name;
    enum zw_dtype dtype;
    const char *dtype_name; /* as in the file */
    int rank;
    uint64_t shape[ZW_MAX_RANK];
    uint64_t bytes;
    uint32_t file;   /* which shard */
    uint64_t offset; /* of the first byte in that file */
};

/* The length in the first 8 bytes p of a file of file_size bytes, checked against both limits:
 * nothing needs to be allocated before. n: how many of the 8 there are. */
int zw_header_length(uint64_t *ret_len, const uint8_t *p, size_t n, uint64_t file_size,
                     struct zc_diag *dg);

/* Parses one header from memory (the 8 length bytes and what follows, n bytes there, of a file of
 * file_size bytes; ZC_EAGAIN if the header goes on behind them). Nothing is said to cb before
 * everything has been checked; then cb sees each tensor, in order of offsets, and a negative value
 * of it ends the parse. */
typedef int zw_header_cb(const struct zw_tensor *t, void *arg, struct zc_diag *dg);
int zw_header_parse(const uint8_t *p, size_t n, uint64_t file_size, zw_header_cb *cb, void *arg,
                    struct zc_diag *dg);

#endif
