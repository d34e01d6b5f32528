dnl SPDX-License-Identifier: MIT
dnl The CUDA compiler, what it can build for, and the C++ compiler that runs the same sources on
dnl the simulator of tests/cudasim.

dnl ZORAC_CUDA: --with-cuda[=DIR] and --with-cuda-arch; sets HAVE_CUDA, NVCC, NVCC_GENCODE and, for
dnl the report, cuda_report.
AC_DEFUN([ZORAC_CUDA], [
  AC_ARG_WITH([cuda], [AS_HELP_STRING([--with-cuda@<:@=DIR@:>@],
    [build the CUDA back-end, with the toolkit in DIR (default: if nvcc is found)])],
    [], [with_cuda=auto])
  AC_ARG_WITH([cuda-arch], [AS_HELP_STRING([--with-cuda-arch=LIST],
    [compute capabilities to build for, such as 89 or 80,90 (default: 80,86,89,90,120, as far as
     nvcc knows them, and PTX of 90 and the last for all others from 9.0 on)])], [], [with_cuda_arch=])
  AC_ARG_VAR([NVCC], [the CUDA compiler])
  AC_ARG_VAR([NVCCFLAGS], [flags for the CUDA compiler])
  have_cuda=no
  cuda_report="no (--without-cuda)"
  AS_IF([test "x$with_cuda" != xno], [
    cuda_path="$PATH:/usr/local/cuda/bin:/opt/cuda/bin"
    AS_CASE([$with_cuda], [/*], [cuda_path="$with_cuda/bin:$with_cuda"])
    AC_PATH_PROG([NVCC], [nvcc], [], [$cuda_path])
    AS_IF([test -n "$NVCC"], [ZORAC_TRY_NVCC], [cuda_report="no (there is no nvcc)"])
    AS_IF([test "x$with_cuda" != xauto && test "x$have_cuda" = xno],
      [AC_MSG_ERROR([--with-cuda=$with_cuda: $cuda_report])])])
  AM_CONDITIONAL([HAVE_CUDA], [test "x$have_cuda" = xyes])
])

dnl Whether nvcc builds something, and the architectures that it and --with-cuda-arch have in common.
AC_DEFUN([ZORAC_TRY_NVCC], [
  AC_MSG_CHECKING([what $NVCC builds for])
  nvcc_release=`"$NVCC" --version 2>/dev/null | sed -n 's/.*release \(@<:@0-9.@:>@*\).*/\1/p'`
  nvcc_codes=`"$NVCC" --list-gpu-code 2>/dev/null | tr '\n' ' '`
  cuda_archs=; NVCC_GENCODE=
  dnl PTX of 90: what has no code of its own between 9.0 and the last, as 10.x. None lower: code of
  dnl before 9.0 does not wait for the kernel before it (zkc_grid_wait), and the host lets one start
  dnl early on every device from 9.0 on.
  for arch in `echo "${with_cuda_arch:-80,86,89,90,120}" | tr , ' '`; do
    AS_CASE([" $nvcc_codes "], [*" sm_$arch "*], [
      AS_VAR_APPEND([cuda_archs], [" $arch"])
      AS_VAR_APPEND([NVCC_GENCODE], [" -gencode=arch=compute_$arch,code=sm_$arch"])
      cuda_last=$arch], [
      AS_IF([test -n "$with_cuda_arch"],
        [AC_MSG_ERROR([--with-cuda-arch=$with_cuda_arch: $NVCC does not know $arch])])])
  done
  AS_IF([test -n "$cuda_archs" && test -z "$with_cuda_arch"], [
    AS_IF([test "$cuda_last" -gt 90],
      [AS_VAR_APPEND([NVCC_GENCODE], [" -gencode=arch=compute_90,code=compute_90"])])
    AS_VAR_APPEND([NVCC_GENCODE], [" -gencode=arch=compute_$cuda_last,code=compute_$cuda_last"])])
  cat >conftest.cu <<ACEOF
#include <cuda_fp16.h>
#if CUDART_VERSION < 12040
#error "too old"
#endif
__global__ void f(__half *p) { *p = __float2half(1.0f); }
int main() { f<<<1, 1>>>(nullptr); }
ACEOF
  AS_IF([test -z "$cuda_archs"], [cuda_report="no ($NVCC knows none of the architectures)"],
    ["$NVCC" $NVCCFLAGS -std=c++20 -c -o conftest.o conftest.cu >&AS_MESSAGE_LOG_FD 2>&1],
    [have_cuda=yes; cuda_report="$nvcc_release, for$cuda_archs"],
    [cuda_report="no ($NVCC $nvcc_release builds nothing here: 12.4 or later is needed, see config.log)"])
  # Unnamed namespaces are named after the source's path: without the folder of this build, if nvcc lets us.
  NVCC_SOURCE_IS="-Xcudafe=--orig_src_path_name="
  AS_IF([test "x$have_cuda" = xyes &&
    "$NVCC" $NVCCFLAGS "$NVCC_SOURCE_IS"conftest.cu -std=c++20 -c -o conftest.o conftest.cu >&AS_MESSAGE_LOG_FD 2>&1],
    [], [NVCC_SOURCE_IS=])
  AC_SUBST([NVCC_SOURCE_IS])
  AC_SUBST([with_cuda_arch])
  rm -f conftest.cu conftest.o
  AC_MSG_RESULT([$cuda_report])
  AC_SUBST([NVCC_GENCODE])
])

dnl ZORAC_CUDASIM: whether a C++ compiler is there to run the kernels without a device.
AC_DEFUN([ZORAC_CUDASIM], [
  AC_MSG_CHECKING([whether $CXX can build the CUDA simulator])
  AC_LANG_PUSH([C++])
  zorac_saved="$CXXFLAGS"
  CXXFLAGS="-std=c++20 -pthread"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <thread>
    #include <vector>]], [[std::thread t([] {}); t.join(); std::vector<int> v(3);]])],
    [have_cudasim=yes], [have_cudasim=no])
  CXXFLAGS="$zorac_saved"
  AC_LANG_POP([C++])
  AS_IF([test "x$enable_tsan" = xyes || test "x$enable_fuzzing" = xyes], [have_cudasim=no])
  AS_IF([test "x$enable_sanitizers" = xyes], [AC_SUBST([SIM_SANITIZERS],
    ["-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"])])
  AC_MSG_RESULT([$have_cudasim])
  AM_CONDITIONAL([HAVE_CUDASIM], [test "x$have_cudasim" = xyes])
  # the race checker answers the calls of -fsanitize=thread itself
  AM_CONDITIONAL([HAVE_CUDASIM_RACE],
    [test "x$have_cudasim" = xyes && test "x$enable_sanitizers" != xyes && test "x$GXX" = xyes])
])
