/* SPDX-License-Identifier: MIT */
/* What zoracd and the CUDA plug-in must agree on before one calls the other. Both are built from
 * one tree: anything but the same version and the same structs is refused. Internal to kernels. */
#ifndef KERNELS_ZK_PLUGIN_H
#define KERNELS_ZK_PLUGIN_H

#include "kernels/zk.h"

#define ZK_PLUGIN_FILE   "libzorac-cuda.so"
#define ZK_PLUGIN_SYMBOL "zk_cuda_plugin"

struct zk_plugin {
    char version[32];  /* PACKAGE_VERSION */
    unsigned sizes[4]; /* ZK_PLUGIN_SIZES: of structs that cross */
    int (*open)(struct zk_dev **ret_dev, const struct zk_cuda_opts *opts, struct zc_diag *dg);
};

/* The structs whose sizes these are, in order, for a sentence. */
#define ZK_PLUGIN_STRUCTS                       \
    {                                           \
        "zk_dev", "zk_ops", "zk_mat", "zk_attn" \
    }
#define ZK_PLUGIN_SIZES                                                      \
    {                                                                        \
        sizeof(struct zk_dev), sizeof(struct zk_ops), sizeof(struct zk_mat), \
            sizeof(struct zk_attn)                                           \
    }

#endif
