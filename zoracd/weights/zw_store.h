/* SPDX-License-Identifier: MIT */
/* A model's tensor files: one model.safetensors or the shards that an index names. Headers are read
 * and checked whole when the store is opened (every check of docs/formats: safetensors container);
 * bytes of tensors are read later with pread, never through a mapping, so that a file that shrinks
 * under us is an error and not a SIGBUS. Const after opening: any thread. */
#ifndef ZORACD_WEIGHTS_ZW_STORE_H
#define ZORACD_WEIGHTS_ZW_STORE_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;
struct zw_store;

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

#define ZW_MAX_RANK 8

/* Borrowed from the store. */
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

/* Opens the weights in directory dir. ZC_ENOTFOUND if it holds none; ZC_EUNSUPPORTED with its name
 * for a recognised format that is not read (GGUF, pickled .bin, consolidated Mistral files). */
int zw_store_open(struct zw_store **ret_store, const char *dir, struct zc_diag *dg);
void zw_store_free(struct zw_store *s);

size_t zw_store_n_tensors(const struct zw_store *s);
const struct zw_tensor *zw_store_tensor(const struct zw_store *s, size_t i);
/* NULL if there is none. O(1). */
const struct zw_tensor *zw_store_find(const struct zw_store *s, const char *name);
/* The file's name (without the directory), for diagnostics. */
const char *zw_store_file_name(const struct zw_store *s, uint32_t file);
uint64_t zw_store_total_bytes(const struct zw_store *s);

/* Reads bytes off .. off + len of the tensor. A short read is ZC_EFORMAT, naming file and tensor.
 */
int zw_store_read(const struct zw_store *s, const struct zw_tensor *t, uint64_t off, void *dst,
                  size_t len, struct zc_diag *dg);

/* Parses one safetensors header from memory (the 8 length bytes and what follows, n bytes there,
 * of a file of file_size bytes). Calls cb for each tensor in order of offsets. For the store, tests
 * and fuzzing. */
typedef int zw_header_cb(const struct zw_tensor *t, void *arg, struct zc_diag *dg);
int zw_header_parse(const uint8_t *p, size_t n, uint64_t file_size, zw_header_cb *cb, void *arg,
                    struct zc_diag *dg);

#endif
