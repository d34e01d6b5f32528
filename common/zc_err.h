/* SPDX-License-Identifier: MIT */
/* The one error vocabulary. A function that can fail returns ZC_OK (0) or a negative enum zc_err;
 * a count or an index may come back as a positive number. No other polarity exists in the tree.
 * A function that reads outside bytes takes `struct zc_diag *dg` last (NULL allowed) and says in
 * it, once and at the place that knows, what was wrong and where. */
#ifndef COMMON_ZC_ERR_H
#define COMMON_ZC_ERR_H

#include <stddef.h>

enum zc_err {
    ZC_OK = 0,
    ZC_EINTERNAL = -1,     /* a bug of ours, found at run time */
    ZC_ENOMEM = -2,        /* host memory */
    ZC_EDEVMEM = -3,       /* device memory */
    ZC_EDEVICE = -4,       /* the device is missing or lost */
    ZC_EINVAL = -5,        /* a parameter is wrong */
    ZC_EFORMAT = -6,       /* outside bytes are malformed */
    ZC_EAGAIN = -7,        /* incomplete: more bytes are needed */
    ZC_ELIMIT = -8,        /* over an announced limit */
    ZC_EBUSY = -9,         /* no room now, later perhaps */
    ZC_ECANCELED = -10,    /* cancelled by its owner */
    ZC_EUNSUPPORTED = -11, /* recognised, and not done by this build */
    ZC_ESYS = -12,         /* a system call failed; the diag names it and errno's text */
    ZC_ENOTFOUND = -13,    /* no such file, tensor, session, method */
    ZC_EPERM = -14,        /* not allowed for this user */
    ZC_EVERSION = -15,     /* protocol or ABI version */
    ZC_ERR_MIN = -15
};

/* One sentence for a person, without a full stop, made where the error is found. */
struct zc_diag {
    char text[512];
};

/* Writes the sentence (cut to fit, always terminated, control characters replaced) and returns
 * err, so that a caller can write `return zc_diag(dg, ZC_EFORMAT, "...")`. dg may be NULL. */
int zc_diag(struct zc_diag *dg, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As zc_diag with ZC_ESYS, and ": " and the text of errno appended. Keeps errno. */
int zc_diag_sys(struct zc_diag *dg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the sentence that is already there; returns err. For callers that know
 * the file or the tensor which the callee does not. */
int zc_diag_prefix(struct zc_diag *dg, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts '?' for every byte of what a terminal would obey: C0, DEL, and C1, which is C2 80 .. C2 9F.
 * Returns how many characters that were. Every zc_diag does so. */
size_t zc_diag_clean(char *s);

/* The error's name on the wire, "format" for ZC_EFORMAT; "unknown" for a number that is none. */
const char *zc_err_name(int err);

/* The inverse of zc_err_name; ZC_EINTERNAL for a name that is none. */
int zc_err_from_name(const char *name);

/* Bugs of ours, in release builds too: logs the place to standard error and aborts. Never used on
 * outside input. */
#define ZC_BUG_ON(cond)                        \
    do {                                       \
        if (__builtin_expect(!!(cond), 0))     \
            zc_bug(__FILE__, __LINE__, #cond); \
    } while (0)
void zc_bug(const char *file, int line, const char *cond) __attribute__((noreturn));

#endif
