/* SPDX-License-Identifier: MIT */
/* A text, with a fixed tokenizer. First byte: bit 0 chooses it, the rest says where trusted text
 * begins and ends. Bytes come back through decoding; control tokens only come out of trusted text.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/t_tok.h"
#include "zoracd/text/zt_tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct zt_tok *bytes, *meta;

    if (!bytes) {
        char *b = t_tok_bytes_json(T_TOK_ADDED("<y>", "true") "," T_TOK_ADDED("  ", "false"));
        char *m = t_tok_meta_json(T_TOK_ADDED("<y>", "true"));
        if (zt_tok_new(&bytes, b, strlen(b), NULL) < 0 || zt_tok_new(&meta, m, strlen(m), NULL) < 0)
            abort();
        free(b);
        free(m);
    }
    if (n > 1)
        t_tok_check_text(p[0] & 1 ? meta : bytes, p[0] & 1, (const char *)p + 1, n - 1,
                         1 + p[0] / 2);
    return 0;
}
