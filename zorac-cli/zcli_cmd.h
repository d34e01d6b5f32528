/* SPDX-License-Identifier: MIT */
/* The commands that are a first word: `zorac status`, `zorac sessions`, ... One table feeds main's
 * choice and --help. */
#ifndef ZORAC_CLI_ZCLI_CMD_H
#define ZORAC_CLI_ZCLI_CMD_H

#include "zorac-cli/zcli_reply.h"

struct zcli_cmd {
    const char *name, *args, *text;
    enum zcli_exit (*run)(const struct zcli_opts *o, int argc, char **argv); /* after the name */
};

extern const struct zcli_cmd zcli_cmds[]; /* ends with a NULL name */

#endif
