/* SPDX-License-Identifier: MIT */
/* The loader thread: opens a model while the front goes on serving. Front thread. */
#ifndef ZORACD_SERVE_ZS_LOAD_H
#define ZORACD_SERVE_ZS_LOAD_H

#include <stdint.h>

#include "zoracd/serve/zs_model.h"

struct zc_diag;
struct zs_loader;

/* Starts it. opts (and what it points to) stays valid until zs_loader_join. */
int zs_loader_start(struct zs_loader **ret_l, const struct zs_model_opts *opts, struct zc_diag *dg);
/* Readable when it has ended. */
int zs_loader_fd(const struct zs_loader *l);
/* Bytes read so far and in all; 0 before that is known. */
void zs_loader_progress(const struct zs_loader *l, uint64_t *ret_done, uint64_t *ret_total);
/* Asks it to end early: it then ends with ZC_ECANCELED. */
void zs_loader_cancel(struct zs_loader *l);
/* Waits for its end, gives what it brought and frees it. */
int zs_loader_join(struct zs_loader *l, struct zs_model **ret_m, struct zc_diag *dg);

#endif
