/* SPDX-License-Identifier: MIT */
/* What the daemon takes from itself, so that a hole in a parser is not a way into the account. It
 * does not replace the restrictions of the unit: it holds for whoever starts the daemon. */
#ifndef ZORACD_SERVE_ZS_CAGE_H
#define ZORACD_SERVE_ZS_CAGE_H

struct zc_diag;

/* From here on no thread of the process can execute a program, trace or read another process, open
 * a socket but a Unix one, mount, load a module, make a namespace or change its account: such
 * calls fail with EPERM. To be called when all libraries and devices are open: the GPU's driver
 * runs a helper for that. ZC_EUNSUPPORTED: not for this processor; ZC_ESYS: the kernel refuses. */
int zs_cage_close(struct zc_diag *dg);

#endif
