/* SPDX-License-Identifier: MIT */
/* zorac-bench --profile: which operation of a step takes how long. */
#ifndef ZORACD_TOOLS_ZB_PROFILE_H
#define ZORACD_TOOLS_ZB_PROFILE_H

#include <stdbool.h>

#include "kernels/zk.h"

/* What the machine does in a second, for the bound of an operation. */
struct zb_rates {
    double bytes, flops;
};

/* From now on each operation of the device is timed, one by one: by marks in the device's own
 * stream where it has them, else by the clock. One profile at a time. */
void zb_profile_start(struct zk_dev *dev);
/* After each step: takes what its operations took. seconds: the whole step by the clock. */
void zb_profile_step(struct zk_dev *dev, double seconds);
/* Ends it, prints a line per operation and shape, the longest first. what: the line it is about;
 * NULL: nothing is printed.
 * The bound of an operation: its matrix or pages, read once, or its multiply-adds. */
void zb_profile_stop(struct zk_dev *dev, const char *what, const struct zb_rates *rates, bool json);

#endif
