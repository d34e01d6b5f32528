/* SPDX-License-Identifier: MIT */
/* Unicode's normal forms. Any thread. */
#ifndef ZORACD_TEXT_ZT_FORM_H
#define ZORACD_TEXT_ZT_FORM_H

#include <stddef.h>

#include <utf8proc.h>

#include "common/zc_buf.h"

/* Appends n bytes of valid UTF-8 in a normal form: UTF8PROC_COMPOSE or UTF8PROC_DECOMPOSE, each
 * with UTF8PROC_STABLE, and UTF8PROC_COMPAT or not. As Unicode 9 has it, which the
 * reference (tokenizers) is of: what is newer stands for itself. Linear in n. ZC_ENOMEM, zc_buf's
 * errors. */
int zt_form_run(utf8proc_option_t form, const char *p, size_t n, struct zc_buf *out);

#endif
