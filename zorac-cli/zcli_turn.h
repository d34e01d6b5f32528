/* SPDX-License-Identifier: MIT */
/* Turns of a stored conversation: the store is the record, the daemon's session a cache that is
 * opened again from the record whenever the daemon does not know it (any more). */
#ifndef ZORAC_CLI_ZCLI_TURN_H
#define ZORAC_CLI_ZCLI_TURN_H

#include "zorac-cli/zcli_reply.h"

struct zcli_turns;

/* Opens the store and the conversation o->session (made if there is none), or without a name the
 * one used last, or a new one. o->system goes into a new conversation; for one that has messages it
 * is refused (ZC_EINVAL). Connects to the daemon. o is borrowed. */
int zcli_turns_open(struct zcli_turns **ret_t, const struct zcli_opts *o, struct zc_diag *dg);
void zcli_turns_close(struct zcli_turns *t);

/* One turn; as zcli_reply_run, and ret_o->too_long also where the daemon does not take the
 * conversation at all. The prompt is stored before anything can fail. A lost connection is made
 * again before a turn, not within one. */
int zcli_turns_run(struct zcli_turns *t, const char *prompt, struct zcli_outcome *ret_o,
                   struct zc_diag *dg);

/* Goes on in another conversation: of that name, or (NULL) a new one. */
int zcli_turns_switch(struct zcli_turns *t, const char *name, struct zc_diag *dg);
int zcli_turns_new(struct zcli_turns *t, const char *name, struct zc_diag *dg);
/* As zcli_store_trim. */
int zcli_turns_trim(struct zcli_turns *t, int64_t turns, struct zc_diag *dg);
/* As zcli_store_count. */
int zcli_turns_count(struct zcli_turns *t, size_t *ret_all, size_t *ret_left_out,
                     struct zc_diag *dg);

/* zcli_conn_notice of the connection; NULL without one. */
const char *zcli_turns_notice(const struct zcli_turns *t);
const char *zcli_turns_name(const struct zcli_turns *t);
/* The messages so far, a new reference. */
int zcli_turns_messages(struct zcli_turns *t, json_t **ret_messages, struct zc_diag *dg);
struct zcli_store *zcli_turns_store(struct zcli_turns *t);

#endif
