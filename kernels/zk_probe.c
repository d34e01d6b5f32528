/* SPDX-License-Identifier: MIT */
/* The read bandwidth of a device's memory, as one figure. */
#include "kernels/zk.h"

#include "common/zc_err.h"

double zk_probe_memory(struct zk_dev *dev, size_t bytes, int runs)
{
    double best = 0;
    void *p;

    if (dev->ops->alloc(dev, &p, bytes, NULL) < 0)
        return 0;
    if (dev->ops->fill(dev, p, 0x11, bytes) == ZC_OK)
        for (int i = 0; i < runs; i++) {
            double rate = dev->ops->probe_read(dev, p, bytes);
            best = rate > best ? rate : best;
        }
    dev->ops->free(dev, p, bytes);
    return best;
}
