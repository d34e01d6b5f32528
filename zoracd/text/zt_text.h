/* SPDX-License-Identifier: MIT */
/* Text that remembers whom each byte came from. The template is trusted, what a message says is
 * not: special tokens match in trusted spans only, so that no message can become a control token.
 * Pure data; any thread. */
#ifndef ZORACD_TEXT_ZT_TEXT_H
#define ZORACD_TEXT_ZT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_buf.h"

/* Bytes off .. off + len, in order, without gaps, neighbours differing in trusted. */
struct zt_span {
    size_t off, len;
    bool trusted;
};

struct zt_text {
    struct zc_buf buf;
    struct zt_span *spans;
    size_t n_spans, cap_spans;
};

/* Empty, of at most max bytes. */
void zt_text_init(struct zt_text *t, size_t max);
void zt_text_release(struct zt_text *t);
void zt_text_clear(struct zt_text *t);
/* Appends n bytes of one kind; ZC_ELIMIT over the maximum, ZC_ENOMEM. */
int zt_text_add(struct zt_text *t, const char *p, size_t n, bool trusted);
/* Shortens to the first len bytes. */
void zt_text_truncate(struct zt_text *t, size_t len);
/* Appends bytes off .. off + len of another text, each of the kind it has there. */
int zt_text_copy(struct zt_text *t, const struct zt_text *from, size_t off, size_t len);
/* Whether bytes off .. off + len all are trusted. */
bool zt_text_is_trusted(const struct zt_text *t, size_t off, size_t len);
/* How many of the bytes off .. off + len (in the text, len > 0) are of the same kind as the first,
 * and which kind that is. */
size_t zt_text_run(const struct zt_text *t, size_t off, size_t len, bool *ret_trusted);

/* A growable array of token ids with a maximum. */
struct zt_ids {
    int32_t *data;
    size_t len, cap, max;
};
void zt_ids_init(struct zt_ids *ids, size_t max);
void zt_ids_release(struct zt_ids *ids);
/* ZC_ELIMIT at the maximum, ZC_ENOMEM. */
int zt_ids_add(struct zt_ids *ids, int32_t id);

#endif
