/* SPDX-License-Identifier: MIT */
/* The tokenizer of a model: tokenizer.json as the Hugging Face library reads it (or tekken.json, or
 * SentencePiece's tokenizer.model), text to ids and ids to bytes. Loaded once, const afterwards:
 * any number of threads may encode and decode. Reference for every result: huggingface tokenizers
 * (native), encode and decode; where the file is another one, the library that made it. */
#ifndef ZORACD_TEXT_ZT_TOK_H
#define ZORACD_TEXT_ZT_TOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_buf.h"
#include "zoracd/text/zt_text.h"

struct zc_diag;
struct zt_tok;

/* Loads path/tokenizer.json of a model's directory (tokens that tokenizer_config.json calls special
 * are so), where there is none path/tekken.json, else path/tokenizer.model (with what
 * added_tokens.json and tokenizer_config.json add to it), or the file itself. A truncation or a
 * padding that the file describes is for training and not done. What is recognised and not done
 * here (Unigram, WordPiece, dropout, ...) is ZC_EUNSUPPORTED and named. */
int zt_tok_open(struct zt_tok **ret_tok, const char *path, struct zc_diag *dg);
/* Which file of a directory that is (zc_free). ZC_ENOTFOUND. */
int zt_tok_find_file(char **ret_file, const char *dir, struct zc_diag *dg);
/* The same from bytes in memory; for tests and fuzzing. */
int zt_tok_new(struct zt_tok **ret_tok, const char *json, size_t len, struct zc_diag *dg);
/* Mistral's tekken.json. Reference: tiktoken and mistral-common. */
int zt_tok_new_tekken(struct zt_tok **ret_tok, const char *json, size_t len, struct zc_diag *dg);
/* SentencePiece's tokenizer.model (BPE). Reference: sentencepiece; control pieces match as the
 * control tokens below do, pieces of the user everywhere. */
int zt_tok_new_spm(struct zt_tok **ret_tok, const char *bytes, size_t len, struct zc_diag *dg);
void zt_tok_free(struct zt_tok *tok);

/* One more than the highest id. */
int32_t zt_tok_vocab_size(const struct zt_tok *tok);
/* The id of a token by its exact content (added tokens first); -1 if there is none. */
int32_t zt_tok_find(const struct zt_tok *tok, const char *content, size_t len);
/* The token's content as in the file (for inspection), borrowed, not terminated, and its length;
 * NULL for an id without one. */
const char *zt_tok_content(const struct zt_tok *tok, int32_t id, size_t *ret_len);
/* Whether it is one of the added tokens, special or not. */
bool zt_tok_is_added(const struct zt_tok *tok, int32_t id);
bool zt_tok_is_special(const struct zt_tok *tok, int32_t id);
/* The version of Mistral's message format that tekken.json names; 0 for other files. */
int zt_tok_tekken_version(const struct zt_tok *tok);

enum zt_tok_flags {
    ZT_TOK_ADD_SPECIAL = 1 << 0,   /* what the post-processor puts around a text (BOS) */
    ZT_TOK_PARSE_SPECIAL = 1 << 1, /* special tokens match everywhere, trusted or not */
};

/* Appends the ids of text. Control tokens match in trusted spans only, unless PARSE_SPECIAL: those
 * that the file calls special, and those like <|user|> whatever it calls them. Other added tokens
 * match everywhere, as they do in the reference, and the text between two is one whole whatever its
 * spans. Text that is not UTF-8 is read with U+FFFD for each maximal invalid part, as the
 * reference's callers do (SentencePiece: for each byte).
 * Time O(n log n), memory O(n). ZC_ELIMIT if a regex runs over its match limit or ids->max is
 * reached; ids is as before then. */
int zt_tok_encode(const struct zt_tok *tok, const struct zt_text *text, unsigned flags,
                  struct zt_ids *ids, struct zc_diag *dg);
/* The same for plain bytes: all untrusted. */
int zt_tok_encode_bytes(const struct zt_tok *tok, const char *p, size_t n, unsigned flags,
                        struct zt_ids *ids, struct zc_diag *dg);

/* What becomes of special tokens in text. */
enum zt_special {
    ZT_SPECIAL_KEEP, /* what decode() of the reference does: their content is text; but of a control
                        piece of SentencePiece's, which is never text there, nothing */
    ZT_SPECIAL_SKIP, /* nothing */
    ZT_SPECIAL_SHOW, /* their content, of control pieces too */
};

/* decode() of the reference: the text of a whole list of ids, invalid UTF-8 as U+FFFD.
 * ZC_EINVAL names an id that is out of range. */
int zt_tok_decode(const struct zt_tok *tok, const int32_t *ids, size_t n, enum zt_special special,
                  struct zc_buf *out, struct zc_diag *dg);

/* ---- streaming ---------------------------------------------------------------------------- */

/* Ids one after another into whole characters. The chunks' sum is zt_tok_decode of all ids, with
 * one exception: where a run of byte tokens (<0xE2>...) is no UTF-8 as a whole, decode has U+FFFD
 * for each of its bytes, while a stream has already given out the characters at its beginning. */
struct zt_detok;
int zt_detok_new(struct zt_detok **ret_d, const struct zt_tok *tok, enum zt_special special);
void zt_detok_free(struct zt_detok *d);
/* The ids before the first push (a prompt's last ids): they decide about a leading space and are
 * not given out. */
int zt_detok_prime(struct zt_detok *d, const int32_t *ids, size_t n);
/* Appends zero or more whole characters to out. All of the id's text is held back while it ends
 * within a character, as the reference's DecodeStream does (which holds back a U+FFFD of the text
 * itself, too; this does not). O(1) per id. ZC_EINVAL for an id out of range, zc_buf's errors. */
int zt_detok_push(struct zt_detok *d, int32_t id, struct zc_buf *out);
/* What is still held back, as U+FFFD; afterwards as new. */
int zt_detok_flush(struct zt_detok *d, struct zc_buf *out);

#endif
