/* SPDX-License-Identifier: MIT */
/* The daemon without libsystemd: nobody passes sockets, nobody is told. */
#include "zoracd/serve/zs_sd.h"

int zs_sd_listen_fd(int *ret_fd, struct zc_diag *dg)
{
    return 0;
}

void zs_sd_notify(const char *fmt, ...)
{
}

uint64_t zs_sd_watchdog_us(void)
{
    return 0;
}

bool zs_sd_is_journal(void)
{
    return false;
}
