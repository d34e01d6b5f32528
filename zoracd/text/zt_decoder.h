/* SPDX-License-Identifier: MIT */
/* The decoder of tokenizer.json: how tokens become text again. What the reference composes of steps
 * over lists of strings is here one description that a state per stream can follow (zt_detok.c). */
#ifndef ZORACD_TEXT_ZT_DECODER_H
#define ZORACD_TEXT_ZT_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct zc_diag;

#define ZT_DECODER_REPLACES 4

enum zt_decoder_kind {
    ZT_DECODER_NONE,  /* tokens with a space between them */
    ZT_DECODER_BYTES, /* the byte-level alphabet */
    ZT_DECODER_META,  /* Metaspace */
    ZT_DECODER_SPM,   /* SentencePiece's own */
    ZT_DECODER_STEPS, /* replaces, then bytes from <0xXX>, then the text's start is stripped */
};

struct zt_decoder {
    enum zt_decoder_kind kind;
    struct zt_decoder_replace {
        char *from, *to; /* strings; META: one, the replacement to a space */
    } replaces[ZT_DECODER_REPLACES];
    size_t n_replaces;
    bool drops_first;    /* META: the first token loses its replacements; SPM: one at the start */
    bool drops_all;      /* SPM: every token loses one until there is text */
    bool byte_fallback;  /* STEPS */
    char strip[8];       /* STEPS: this character, */
    unsigned strip_left; /* so many times at the start */
    char *unknown;       /* SPM: what the unknown token says */
};

/* From the value of "decoder", null included: ByteLevel, Metaspace, Replace, ByteFallback, Fuse,
 * Strip and sequences of the last four in this order. Others are ZC_EUNSUPPORTED and named.
 * Released even after an error. */
int zt_decoder_init(struct zt_decoder *d, const json_t *spec, struct zc_diag *dg);
void zt_decoder_release(struct zt_decoder *d);

#endif
