/* SPDX-License-Identifier: MIT */
/* A model's tensor files: one model.safetensors or the shards that an index names. Headers are read
 * and checked whole when the store is opened (zw_header.h); bytes of tensors are read later with
 * pread, never through a mapping, so that a file that shrinks under us is an error and not a
 * SIGBUS. Const after opening: any thread. */
#ifndef ZORACD_WEIGHTS_ZW_STORE_H
#define ZORACD_WEIGHTS_ZW_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "zoracd/weights/zw_header.h"

struct zc_diag;
struct zw_store;

#define ZW_MAX_SHARDS 1024

/* Opens the weights in directory dir. ZC_ENOTFOUND if it holds none; ZC_EUNSUPPORTED with its name
 * for a recognised format that is not read (GGUF, pickled .bin, consolidated Mistral files). */
int zw_store_open(struct zw_store **ret_store, const char *dir, struct zc_diag *dg);
void zw_store_free(struct zw_store *s);

/* In order of names. */
size_t zw_store_n_tensors(const struct zw_store *s);
const struct zw_tensor *zw_store_tensor(const struct zw_store *s, size_t i);
/* NULL if there is none. */
const struct zw_tensor *zw_store_find(const struct zw_store *s, const char *name);
/* The file's name (without the directory), for diagnostics. */
const char *zw_store_file_name(const struct zw_store *s, uint32_t file);
uint64_t zw_store_total_bytes(const struct zw_store *s);
/* How many tensors lie in shards without being in the index: not used, worth a warning. */
size_t zw_store_n_ignored(const struct zw_store *s);

/* Reads bytes off .. off + len of the tensor. A short read is ZC_EFORMAT, naming file and tensor.
 */
int zw_store_read(const struct zw_store *s, const struct zw_tensor *t, uint64_t off, void *dst,
                  size_t len, struct zc_diag *dg);
/* Tells the system that these bytes are wanted soon. */
void zw_store_advise(const struct zw_store *s, const struct zw_tensor *t, uint64_t off,
                     uint64_t len);

#endif
