/* SPDX-License-Identifier: MIT */
/* Core files of the programs that hold what people write: there are none. */
#ifndef COMMON_ZC_CORE_H
#define COMMON_ZC_CORE_H

/* A crash leaves no file of prompts and replies: no core, and of one that is made all the same (a
 * handler behind a pipe) no memory. First thing in main; what the process starts inherits it. */
void zc_core_forbid(void);

#endif
