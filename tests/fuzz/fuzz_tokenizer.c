/* SPDX-License-Identifier: MIT */
/* A tokenizer.json or tekken.json. What is refused is explained; with what is taken, text becomes
 * ids of the vocabulary, these become UTF-8, and a stream of them ends in UTF-8 too. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/text/zt_tok.h"
#include "common/zc_utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void stream(const struct zt_tok *tok, const struct zt_ids *ids)
{
    struct zt_detok *d;
    struct zc_buf out;

    zc_buf_init(&out, 1 << 20);
    zt_detok_new(&d, tok, false);
    for (size_t i = 0; i < ids->len && i < 1000; i++) {
        if (zt_detok_push(d, ids->data[i], &out) == ZC_EINVAL ||
            zc_utf8_valid(zc_buf_str(&out), out.len) != out.len)
            abort();
    }
    zt_detok_free(d);
    zc_buf_release(&out);
}

static void check(const uint8_t *p, size_t n,
                  int (*load)(struct zt_tok **, const char *, size_t, struct zc_diag *))
{
    static const char text[] = "Hello  w\u00f6rld \u4e2d<s>[INST] 12\n\n\te\u0301 aab";
    struct zc_diag dg = {""};
    struct zt_tok *tok;
    struct zt_ids ids;
    struct zc_buf out;

    if (load(&tok, (const char *)p, n, &dg) < 0) {
        if (!dg.text[0])
            abort();
        return;
    }
    zt_ids_init(&ids, 1 << 20);
    zc_buf_init(&out, 1 << 20);
    int r = zt_tok_encode_bytes(tok, text, sizeof text - 1,
                                ZT_TOK_PARSE_SPECIAL | ZT_TOK_ADD_SPECIAL, &ids, &dg);
    if (r >= 0 && zt_tok_decode(tok, ids.data, ids.len, false, &out, &dg) == ZC_EINVAL)
        abort();
    if (zc_utf8_valid(zc_buf_str(&out), out.len) != out.len)
        abort();
    stream(tok, &ids);
    zt_ids_release(&ids);
    zc_buf_release(&out);
    zt_tok_free(tok);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    check(p, n, zt_tok_new);
    check(p, n, zt_tok_new_tekken);
    return 0;
}
