/* SPDX-License-Identifier: MIT */
/* jansson values to msgpack and back. Any thread. */
#ifndef COMMON_ZC_JSON_H
#define COMMON_ZC_JSON_H

#include <jansson.h>
#include <msgpack.h>

struct zc_diag;

/* Packs a JSON value. ZC_EFORMAT if it is nested deeper than ZC_SCAN_MAX_DEPTH; whether the bytes
 * fitted, the packer's buffer knows (zc_buf_error). */
int zc_json_pack(msgpack_packer *pk, const json_t *v, struct zc_diag *dg);

/* A new JSON value for o, to be decref'ed. ZC_EFORMAT names the place ("messages[2].content") of
 * what JSON does not have: a string that is not UTF-8, binary, extension, NaN, an integer over 63
 * bits, a key that is no string, a key that is there twice. what: the name of o itself. */
int zc_json_unpack(json_t **ret_v, const msgpack_object *o, const char *what, struct zc_diag *dg);

#endif
