dnl SPDX-License-Identifier: MIT
dnl The project's own macros; configure.ac reads as a list of decisions.

dnl ZORAC_ARG_WITH(NAME, TEXT, DEFAULT): a three-valued switch in $with_NAME.
dnl yes fails if the part is missing, no never looks, auto takes what is there.
AC_DEFUN([ZORAC_ARG_WITH], [
  AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=yes|no|auto], [$2 (default: $3)])],
    [], [with_$1=$3])
  AS_CASE([$with_$1], [yes|no|auto], [],
    [AC_MSG_ERROR([--with-$1 takes yes, no or auto, not "$with_$1"])])
])

dnl ZORAC_OPTIONAL(NAME, VAR, PKGCONFIG-MODULES): looks for a library as --with-NAME says
dnl and defines the conditional HAVE_VAR, VAR_CFLAGS and VAR_LIBS.
AC_DEFUN([ZORAC_OPTIONAL], [
  have_$1=no
  AS_IF([test "x$with_$1" != xno], [
    PKG_CHECK_MODULES([$2], [$3], [have_$1=yes], [
      AS_IF([test "x$with_$1" = xyes],
        [AC_MSG_ERROR([--with-$1=yes, but pkg-config does not find $3])])])])
  AM_CONDITIONAL([HAVE_$2], [test "x$have_$1" = xyes])
])

dnl ZORAC_CFLAG(VAR, FLAGS): appends FLAGS to VAR if the compiler takes them without a warning.
AC_DEFUN([ZORAC_CFLAG], [
  AC_MSG_CHECKING([whether $CC takes $2])
  zorac_saved="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $2"])],
    [AC_MSG_RESULT([no])])
  CFLAGS="$zorac_saved"
])

dnl ZORAC_ISA(NAME, FLAGS, INTRINSIC-PROGRAM): flags for one instruction-set archive;
dnl sets HAVE_NAME and CFLAGS_NAME. The flags never leave that archive.
AC_DEFUN([ZORAC_ISA], [
  AC_MSG_CHECKING([whether $CC can build the $1 kernels])
  zorac_saved="$CFLAGS"
  CFLAGS="$CFLAGS $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <immintrin.h>]], [[$3]])],
    [zorac_isa=yes], [zorac_isa=no])
  CFLAGS="$zorac_saved"
  AC_MSG_RESULT([$zorac_isa])
  AM_CONDITIONAL([HAVE_$1], [test $zorac_isa = yes])
  AS_IF([test $zorac_isa = yes], [
    AC_SUBST([CFLAGS_$1], ["$2"])
    AC_DEFINE([HAVE_$1], [1], [Whether the $1 kernels are built.])
    AS_VAR_APPEND([zorac_isas], [" $1"])])
])
