/* SPDX-License-Identifier: MIT */
/* The pre-tokenizer of tokenizer.json: cuts a text into the pieces that the model encodes one by
 * one. Compiled once, const afterwards: any number of threads, each with its own zt_pre_work.
 * Reference: tokenizers, pre_tokenizers. */
#ifndef ZORACD_TEXT_ZT_PRE_H
#define ZORACD_TEXT_ZT_PRE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "common/zc_buf.h"
#include "zoracd/text/zt_regex.h"

struct zc_diag;

#define ZT_PRE_MAX 16 /* steps */

struct zt_pre {
    struct zt_pre_step *steps;
    size_t n_steps;
};

struct zt_pre_work {
    struct zt_regex_work *regex;    /* borrowed */
    struct zc_buf bufs[ZT_PRE_MAX]; /* what steps rewrite */
};

/* From the value of "pre_tokenizer", null included: ByteLevel, Split, Metaspace, Digits,
 * Punctuation, WhitespaceSplit and sequences of them. Another type is ZC_EUNSUPPORTED
 * and named. Released even after an error. */
int zt_pre_init(struct zt_pre *pre, const json_t *spec, struct zc_diag *dg);
/* One pattern whose matches are pieces, then bytes to characters: what tiktoken does. */
int zt_pre_init_pattern(struct zt_pre *pre, const char *pattern, size_t len, struct zc_diag *dg);
/* Whether the beginning of the whole text is cut in a way of its own: Metaspace "first". */
bool zt_pre_has_first(const struct zt_pre *pre);
void zt_pre_release(struct zt_pre *pre);

/* max: bytes of any text that a step writes. */
void zt_pre_work_init(struct zt_pre_work *w, struct zt_regex_work *regex, size_t max);
void zt_pre_work_release(struct zt_pre_work *w);

/* Called with each piece in order, never an empty one; a negative result ends the run. */
typedef int (*zt_pre_fn)(void *arg, const char *p, size_t n);

/* Cuts n bytes of valid UTF-8. at_start: they begin where the whole text begins. */
int zt_pre_run(const struct zt_pre *pre, struct zt_pre_work *w, const char *p, size_t n,
               bool at_start, zt_pre_fn fn, void *arg, struct zc_diag *dg);

/* The byte-level alphabet of GPT-2: each byte as a printable character. The code point of a byte;
 * the byte of a code point, -1 if it is none of them. */
unsigned zt_pre_char_of_byte(unsigned char byte);
int zt_pre_byte_of_char(unsigned cp);

#endif
