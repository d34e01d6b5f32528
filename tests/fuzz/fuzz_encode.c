/* SPDX-License-Identifier: MIT */
/* A text, with a fixed tokenizer. First byte: bit 0 chooses it, the rest says where trusted text
 * begins and ends. Bytes come back through decoding; control tokens only come out of trusted text.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "tests/unit/t_tok.h"
#include "zoracd/text/zt_tok.h"
#include "common/zc_utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct zt_tok *make(char *json)
{
    struct zt_tok *tok;

    if (zt_tok_new(&tok, json, strlen(json), NULL) < 0)
        abort();
    free(json);
    return tok;
}

/* Pieces of step bytes, trusted and not; over 64 all untrusted. */
static void check(const struct zt_tok *tok, bool is_meta, const char *p, size_t n, size_t step)
{
    struct zt_text text;
    struct zt_ids ids;
    struct zc_buf want, got;

    zt_text_init(&text, n);
    zt_ids_init(&ids, 1 << 20);
    zc_buf_init(&want, 4 * n + 16);
    zc_buf_init(&got, 16 * n + 16);
    for (size_t i = 0; i < n; i += step)
        zt_text_add(&text, p + i, n - i < step ? n - i : step, step < 64 && (i / step) % 2);
    if (zt_tok_encode(tok, &text, 0, &ids, NULL) < 0 ||
        zt_tok_decode(tok, ids.data, ids.len, false, &got, NULL) < 0)
        abort();
    bool special = false;
    for (size_t i = 0; i < ids.len; i++)
        special |= zt_tok_is_special(tok, ids.data[i]);
    if (special && step >= 64)
        abort();
    zc_utf8_lossy(&want, p, n);
    /* SentencePiece's sign comes back as a space, and there is one behind a special token */
    bool is_exact = !is_meta || (!special && !memmem(p, n, "\u2581", 3));
    if (is_exact && (got.len != want.len || memcmp(zc_buf_str(&got), zc_buf_str(&want), got.len)))
        abort();
    zt_text_release(&text);
    zt_ids_release(&ids);
    zc_buf_release(&want);
    zc_buf_release(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct zt_tok *bytes, *meta;

    if (!bytes) {
        bytes = make(t_tok_bytes_json(T_TOK_ADDED("<y>", "true") "," T_TOK_ADDED("  ", "false")));
        meta = make(t_tok_meta_json(T_TOK_ADDED("<y>", "true")));
    }
    if (n > 1)
        check(p[0] & 1 ? meta : bytes, p[0] & 1, (const char *)p + 1, n - 1, 1 + p[0] / 2);
    return 0;
}
