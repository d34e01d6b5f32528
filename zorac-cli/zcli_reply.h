/* SPDX-License-Identifier: MIT */
/* One generate request from the first byte to its end: printed as it comes, stored as it comes,
 * stopped by Ctrl-C. Shared by a single prompt and by the chat. */
#ifndef ZORAC_CLI_ZCLI_REPLY_H
#define ZORAC_CLI_ZCLI_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "zorac-cli/zcli_conn.h"
#include "zorac-cli/zcli_store.h"

struct zc_diag;

/* Exit statuses of every command; --help lists them. */
enum zcli_exit {
    ZCLI_DONE = 0,
    ZCLI_FAILED = 1,
    ZCLI_USAGE = 2,
    ZCLI_NO_DAEMON = 3,
    ZCLI_REFUSED = 4,
    ZCLI_INTERRUPTED = 130
};

struct zcli_opts {
    const char *socket;
    const char *session;
    const char *system;
    json_t *sampling; /* temperature, max_tokens, seed: what was given */
    bool json, no_stream, plain;
};

/* Where pieces are kept as they come; store NULL: nowhere. */
struct zcli_keep {
    struct zcli_store *store;
    int64_t reply;
};

struct zcli_outcome {
    char finish[32];  /* "stop", "length", "canceled"; "" if it failed */
    char code[64];    /* error code of the daemon, "" for none */
    bool any_text;    /* at least one piece came */
    bool too_long;    /* the conversation is: a limit refused it, or it fills the context */
    bool interrupted; /* by Ctrl-C */
    bool muted;       /* by Ctrl-C while nobody read what was printed: nothing more is */
};

/* Sends params as a generate request and sees it through. ZC_OK also for an error that the daemon
 * answered (ret_o->code, its sentence in dg); negative if the connection or the store failed: what
 * had come by then is stored. */
int zcli_reply_run(struct zcli_conn *c, const struct zcli_opts *o, json_t *params,
                   const struct zcli_keep *keep, struct zcli_outcome *ret_o, struct zc_diag *dg);

/* A flag of json_dumps: as many digits as a decimal number keeps through a double, so that 0.3 is
 * printed as 0.3. */
#define ZCLI_JSON_REALS JSON_REAL_PRECISION(15)

/* One line of JSON: {"delta": ...}, {"result": ...} or {"error": ...}; sent out at once. */
int zcli_reply_print_json(const struct zcli_msg *m, struct zc_diag *dg);

/* The exit status of an error code from the daemon, and of an error of ours. */
enum zcli_exit zcli_exit_of_code(const char *code);
enum zcli_exit zcli_exit_of_error(int err);

/* One prompt, one answer, then exit; with o->session in that conversation, else without memory. */
enum zcli_exit zcli_ask(const struct zcli_opts *o, const char *prompt);
/* The chat, until end of input. */
enum zcli_exit zcli_chat(const struct zcli_opts *o);

#endif
