/* SPDX-License-Identifier: MIT */
/* What the tests of whole engines share: opening, sequences, steps that must succeed. */
#ifndef TESTS_UNIT_T_ENGINE_H
#define TESTS_UNIT_T_ENGINE_H

#include "zoracd/engine/ze_engine.h"

/* One thread, context 256, 6 sequences, passes of 32 rows, 64 rows of logits, 1 GiB. */
struct ze_opts t_engine_options(const char *dir);
struct ze_engine *t_engine_open(const struct ze_opts *o);
/* n random ids below V. */
void t_engine_ids(int32_t *ids, int n, int V, unsigned seed);
struct ze_seq *t_engine_seq(struct ze_engine *e, uint64_t root, const int32_t *ids, int n);
void t_engine_run(struct ze_engine *e, struct ze_work *w, int n);

#endif
