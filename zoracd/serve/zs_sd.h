/* SPDX-License-Identifier: MIT */
/* What systemd is told and gives. One of two files implements it: zs_sd.c over libsystemd, or
 * zs_sd_none.c where it is not built in. Front thread and main. */
#ifndef ZORACD_SERVE_ZS_SD_H
#define ZORACD_SERVE_ZS_SD_H

#include <stdbool.h>
#include <stdint.h>

struct zc_diag;

#define ZS_SD_NAME "zoracd" /* FileDescriptorName= of the socket unit */

/* The listening Unix socket that systemd passed: 1 and *ret_fd, or 0 if none was. Of several it is
 * the one of our name, and the others are closed. ZC_EINVAL: none has it, or what was passed is no
 * such socket. */
int zs_sd_listen_fd(int *ret_fd, struct zc_diag *dg);

/* Sends a state ("READY=1"); does nothing where nobody listens. */
void zs_sd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How long systemd's watchdog waits for a beat, in microseconds; 0 if there is none. */
uint64_t zs_sd_watchdog_us(void);

/* Whether standard error is the journal (JOURNAL_STREAM names its device and inode). */
bool zs_sd_is_journal(void);

#endif
