/* SPDX-License-Identifier: MIT */
/* The normalizer of tokenizer.json: what is done to a text before it is cut. It works on texts with
 * spans of trust (zt_text.h), so that special tokens can still be told from what looks like them
 * afterwards. Compiled once, const afterwards: any thread. Reference: tokenizers, normalizers. */
#ifndef ZORACD_TEXT_ZT_NORM_H
#define ZORACD_TEXT_ZT_NORM_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "zoracd/text/zt_regex.h"
#include "zoracd/text/zt_text.h"

struct zc_diag;
struct zt_spm_norm;

#define ZT_NORM_MAX 16 /* steps */

struct zt_norm {
    struct zt_norm_step *steps;
    size_t n_steps;
};

/* From the value of "normalizer", null included: NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip and
 * sequences of them. Another type is ZC_EUNSUPPORTED and named. Released even after an error. */
int zt_norm_init(struct zt_norm *norm, const json_t *spec, struct zc_diag *dg);
/* One step: SentencePiece's normalizer, whose contents are taken. */
void zt_norm_init_spm(struct zt_norm *norm, struct zt_spm_norm *spm);
void zt_norm_release(struct zt_norm *norm);
/* Whether what comes out may begin later than what goes in: a step takes characters away. */
bool zt_norm_can_cut_start(const struct zt_norm *norm);

/* Normalizes bytes off .. off + len of text, valid UTF-8 (any for SentencePiece), into out, which
 * is emptied first; tmp is room to work in. What replaces bytes is trusted if all of them were. */
int zt_norm_run(const struct zt_norm *norm, struct zt_regex_work *w, const struct zt_text *text,
                size_t off, size_t len, struct zt_text *out, struct zt_text *tmp,
                struct zc_diag *dg);

#endif
