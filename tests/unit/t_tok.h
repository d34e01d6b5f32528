/* SPDX-License-Identifier: MIT */
/* Small tokenizers for tests and fuzz targets: real structure, made on the spot. */
#ifndef TESTS_UNIT_T_TOK_H
#define TESTS_UNIT_T_TOK_H

#include <stddef.h>

/* tokenizer.json of a byte-level BPE (GPT-2's pattern) with a few merges; ids below 256 are the
 * bytes. added: the elements of added_tokens, or "". free() it. */
char *t_tok_bytes_json(const char *added);
/* The same of a SentencePiece-style one: <unk> <s> </s>, 256 byte tokens, a few letters; BOS is put
 * in front. */
char *t_tok_meta_json(const char *added);

/* tekken.json: <unk> <s> </s> and two made-up ones, then the bytes, then a few tokens. */
char *t_tok_tekken_json(void);

/* An element of added_tokens without flags but special, which is "true" or "false". */
#define T_TOK_ADDED(content, special)                            \
    "{\"id\":0,\"content\":\"" content "\",\"special\":" special \
    ",\"normalized\":false,\"lstrip\":false,\"rstrip\":false,\"single_word\":false}"

#endif
