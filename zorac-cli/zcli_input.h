/* SPDX-License-Identifier: MIT */
/* Text from the command line and from standard input. */
#ifndef ZORAC_CLI_ZCLI_INPUT_H
#define ZORAC_CLI_ZCLI_INPUT_H

#include <stdint.h>

struct zc_diag;

/* The words joined with blanks, then, if standard input is neither a terminal nor empty, a blank
 * line and what it holds. NULL if there is neither. To be freed. ZC_EFORMAT: not UTF-8; ZC_ELIMIT:
 * over 8 MiB. */
int zcli_input_read(int argc, char **argv, char **ret_text, struct zc_diag *dg);

/* How many turns are meant, 0 to a million; ZC_EINVAL. */
int zcli_input_turns(const char *text, int64_t *ret_turns, struct zc_diag *dg);

#endif
