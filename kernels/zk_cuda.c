/* SPDX-License-Identifier: MIT */
/* The way to the CUDA plug-in: finds it, checks that it is of this build, opens a device with it.
 * It stays loaded until the process ends. Any thread; nothing here knows CUDA. */
#include "config.h"

#include "kernels/zk.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "kernels/zk_plugin.h"

static int check(const struct zk_plugin *p, const char *path, struct zc_diag *dg)
{
    static const unsigned sizes[] = ZK_PLUGIN_SIZES;
    static const char *const structs[] = ZK_PLUGIN_STRUCTS;

    if (strncmp(p->version, PACKAGE_VERSION, sizeof p->version) != 0)
        return zc_diag(dg, ZC_EVERSION, "%s is of version %.31s, this program of %s", path,
                       p->version, PACKAGE_VERSION);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (p->sizes[i] != sizes[i])
            return zc_diag(dg, ZC_EVERSION,
                           "%s is of version %s too, but of a build with other structures (%s has "
                           "%u bytes there, %u here): build and install both from one tree",
                           path, PACKAGE_VERSION, structs[i], p->sizes[i], sizes[i]);
    return ZC_OK;
}

int zk_cuda_open(struct zk_dev **ret_dev, const struct zk_cuda_opts *opts, struct zc_diag *dg)
{
    const char *dir = secure_getenv("ZORAC_PLUGINS");
    char path[4096];
    int r;

    snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : ZK_PLUGIN_DIR, ZK_PLUGIN_FILE);
    if (access(path, F_OK) != 0)
        return zc_diag(dg, ZC_ENOTFOUND, "the CUDA back-end is not installed: there is no %s",
                       path);
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return zc_diag(dg, ZC_EUNSUPPORTED, "the CUDA back-end can't be loaded: %s", dlerror());
    const struct zk_plugin *p = dlsym(lib, ZK_PLUGIN_SYMBOL);
    if (!p)
        return zc_diag(dg, ZC_EVERSION, "%s has no %s", path, ZK_PLUGIN_SYMBOL);
    if ((r = check(p, path, dg)) < 0)
        return r;
    return p->open(ret_dev, opts, dg);
}
