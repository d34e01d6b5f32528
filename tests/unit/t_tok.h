/* SPDX-License-Identifier: MIT */
/* Small tokenizers for tests and fuzz targets: real structure, made on the spot. */
#ifndef TESTS_UNIT_T_TOK_H
#define TESTS_UNIT_T_TOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* tokenizer.json of a byte-level BPE (GPT-2's pattern) with a few merges; ids below 256 are the
 * bytes. added: the elements of added_tokens, or "". free() it. */
char *t_tok_bytes_json(const char *added);
/* The same of a SentencePiece-style one: <unk> <s> </s>, 256 byte tokens, a few letters; BOS is put
 * in front. */
char *t_tok_meta_json(const char *added);

/* tekken.json: <unk> <s> </s> and two made-up ones, then the bytes, then a few tokens. */
char *t_tok_tekken_json(void);

/* SentencePiece's tokenizer.model: <unk> <s> </s>, <mark> of the user, the bytes (from id 4), a few
 * letters and what they make; n_tail bytes of further fields behind. free() it. */
char *t_tok_spm_model(const char *tail, size_t n_tail, size_t *ret_n);

/* A file of tests/unit, found through $top_srcdir (json_decref); NULL if it is not there. */
json_t *t_tok_vectors(const char *name);
/* tokenizer.json of an element of text_tok_vectors.json's cases: its base with its changes. free()
 * it. */
char *t_tok_case(const json_t *vectors, const json_t *one);
/* The bytes of a string of hexadecimal digits; free() them. */
char *t_tok_unhex(const json_t *hex, size_t *ret_n);

/* For fuzz targets, aborts where it does not hold: a file that load refuses is explained; with one
 * that it takes text becomes ids of the vocabulary, these become UTF-8, and a stream of them, too.
 */
struct zt_tok;
struct zc_diag;
typedef int (*t_tok_load)(struct zt_tok **, const char *, size_t, struct zc_diag *);
void t_tok_check_file(const uint8_t *p, size_t n, t_tok_load load);
/* Text in pieces of step bytes, trusted and not in turn (over 64 all untrusted): its bytes come
 * back through decoding, control tokens only come out of trusted text. is_meta: tok is of
 * t_tok_meta_json, which has its own way with spaces. */
void t_tok_check_text(const struct zt_tok *tok, bool is_meta, const char *p, size_t n, size_t step);

/* An element of added_tokens without flags but special, which is "true" or "false". */
#define T_TOK_ADDED(content, special)                            \
    "{\"id\":0,\"content\":\"" content "\",\"special\":" special \
    ",\"normalized\":false,\"lstrip\":false,\"rstrip\":false,\"single_word\":false}"

#endif
