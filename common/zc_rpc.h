/* SPDX-License-Identifier: MIT */
/* MessagePack-RPC messages over msgpack-c: taking one apart, and putting one together in a zc_buf.
 *     request       [0, id, method, [params]]
 *     response      [1, id, error, result]     error: nil or {code, message, data}
 *     notification  [2, method, [params]]
 * The bytes to take apart have passed zc_scan. Writers append freely and look at zc_buf_error once
 * at the end. Any thread, one owner. */
#ifndef COMMON_ZC_RPC_H
#define COMMON_ZC_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "common/zc_buf.h"

struct zc_diag;

#define ZC_RPC_VERSION 1 /* of the protocol that docs/protocol.md describes */

enum zc_rpc_type { ZC_RPC_REQUEST, ZC_RPC_RESPONSE, ZC_RPC_NOTIFICATION };

/* One message taken apart. Everything borrows from the bytes it was read from, and from zone. */
struct zc_rpc {
    enum zc_rpc_type type;
    int64_t id;         /* request and response; -1 where there is none */
    const char *method; /* request and notification; not terminated */
    size_t method_len;
    const msgpack_object *params; /* request and notification: the map; NULL for none */
    const msgpack_object *error;  /* response: NULL for nil */
    const msgpack_object *result; /* response: NULL for nil */
    msgpack_unpacked zone;        /* private */
};

/* Takes apart the one message in p[0 .. n). ZC_EFORMAT says what it is instead; ret->id is set even
 * then if it could be read, so that the answer reaches the right request. Release in both cases. */
int zc_rpc_read(struct zc_rpc *ret, const char *p, size_t n, struct zc_diag *dg);
void zc_rpc_release(struct zc_rpc *m);

/* ---- reading values ----------------------------------------------------------------------- */

/* The value of a key; NULL if o is NULL or no map, or has no such key, or has nil there. */
const msgpack_object *zc_rpc_get(const msgpack_object *o, const char *key);
/* The same where it is of the type; otherwise the default. */
int64_t zc_rpc_get_int(const msgpack_object *o, const char *key, int64_t otherwise);
double zc_rpc_get_num(const msgpack_object *o, const char *key, double otherwise);
/* A string of ret_len bytes, not terminated; NULL if there is none. */
const char *zc_rpc_get_str(const msgpack_object *o, const char *key, size_t *ret_len);
/* Whether o (NULL allowed) is exactly the string s. */
bool zc_rpc_is_str(const msgpack_object *o, const char *s);
/* An integer that fits int64_t; ZC_EINVAL otherwise. */
int zc_rpc_int(const msgpack_object *o, int64_t *ret);
/* Any finite number; ZC_EINVAL otherwise. */
int zc_rpc_num(const msgpack_object *o, double *ret);

/* ---- writing ------------------------------------------------------------------------------ */

/* A packer that appends to b. */
void zc_rpc_packer(msgpack_packer *pk, struct zc_buf *b);

/* Each begins a message whose params, result or event is a map of n_keys; the caller then packs
 * that many keys and values. An event's id is written here and not counted in n_keys. */
void zc_rpc_request(msgpack_packer *pk, int64_t id, const char *method, size_t n_keys);
void zc_rpc_result(msgpack_packer *pk, int64_t id, size_t n_keys);
void zc_rpc_event(msgpack_packer *pk, const char *name, int64_t id, size_t n_keys);
/* A whole response of failure. id -1 is written as nil: the request could not be read. data: one
 * packed value for a program to look at, or NULL for nil. */
void zc_rpc_error(msgpack_packer *pk, int64_t id, const char *code, const char *message,
                  const struct zc_buf *data);

void zc_rpc_put_str(msgpack_packer *pk, const char *s);
void zc_rpc_kv_str(msgpack_packer *pk, const char *key, const char *s); /* NULL: nil */
void zc_rpc_kv_strn(msgpack_packer *pk, const char *key, const char *s, size_t n);
void zc_rpc_kv_int(msgpack_packer *pk, const char *key, int64_t v);
void zc_rpc_kv_num(msgpack_packer *pk, const char *key, double v);
void zc_rpc_kv_bool(msgpack_packer *pk, const char *key, bool v);
void zc_rpc_kv_map(msgpack_packer *pk, const char *key, size_t n_keys);
void zc_rpc_kv_array(msgpack_packer *pk, const char *key, size_t n);

#endif
