/* SPDX-License-Identifier: MIT */
/* One connection to the daemon, used by one thread, blocking. hello travels in front of the first
 * request without waiting for its answer, so that a prompt costs one round trip. */
#ifndef ZORAC_CLI_ZCLI_CONN_H
#define ZORAC_CLI_ZCLI_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct zc_diag;
struct zcli_conn;

/* Connects. Like all that follows, ZC_ECANCELED if a caught SIGINT came. path NULL: ZORAC_SOCKET,
 * else the user's own daemon, else the system's. ZC_ENOTFOUND and a sentence that says what to do
 * if there is none. */
int zcli_conn_open(struct zcli_conn **ret_c, const char *path, struct zc_diag *dg);
void zcli_conn_close(struct zcli_conn *c);

/* Sends a request; params is borrowed (NULL: none). Returns its id in ret_id. */
int zcli_conn_send(struct zcli_conn *c, const char *method, json_t *params, int64_t *ret_id,
                   struct zc_diag *dg);

/* A message from the daemon about one of our requests. */
struct zcli_msg {
    int64_t id;
    const char *event;  /* its name; NULL: the response that ends the request */
    char name[64];      /* what event points to */
    json_t *body;       /* the event's map, the result, or an error's data; owned; may be NULL */
    char code[64];      /* of an error, "" for none */
    char message[1024]; /* of an error */
};
void zcli_msg_release(struct zcli_msg *m);

/* Waits for the next message. ZC_ECANCELED: a signal came in between (zcli_conn_has_interrupt
 * says so); nothing is lost. ZC_ESYS: the connection is gone. A refused hello is ZC_EVERSION. What
 * the daemon says of the connection as a whole before it closes it is an error here, with its
 * code. */
int zcli_conn_next(struct zcli_conn *c, struct zcli_msg *ret_m, struct zc_diag *dg);

/* What the daemon has said that its user should know, once hello's answer has been heard; NULL:
 * nothing. Lives as long as c. */
const char *zcli_conn_notice(const struct zcli_conn *c);

/* Sends and waits for the response, skipping events. */
int zcli_conn_call(struct zcli_conn *c, const char *method, json_t *params, struct zcli_msg *ret_m,
                   struct zc_diag *dg);

/* SIGINT from now on is noticed by zcli_conn_wait, and so by everything here that waits, instead of
 * ending the process. SIGPIPE is ignored: a reply is put away before the process ends of it. */
void zcli_conn_catch_interrupt(void);
/* It ends the process again. */
void zcli_conn_default_interrupt(void);
/* Lets SIGINT through (to a line editor), still without ending the process. */
void zcli_conn_release_interrupt(void);
/* Whether one came since the last call. */
bool zcli_conn_has_interrupt(void);
/* Waits until fd can be read or written (events as poll's; fd < 0: for a moment). ZC_ECANCELED: an
 * interrupt has come, before or meanwhile; it stays for zcli_conn_has_interrupt. */
int zcli_conn_wait(int fd, short events, struct zc_diag *dg);

#endif
