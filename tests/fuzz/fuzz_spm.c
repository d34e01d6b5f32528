/* SPDX-License-Identifier: MIT */
/* A SentencePiece tokenizer.model. The invariants are those of t_tok_check_file. */
#include "config.h"

#include "tests/unit/t_tok.h"
#include "zoracd/text/zt_tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    t_tok_check_file(p, n, zt_tok_new_spm);
    return 0;
}
