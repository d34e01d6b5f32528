#!/bin/sh
# SPDX-License-Identifier: MIT
# cuda-licence.sh NVCC: prints the licence agreement of the CUDA toolkit that NVCC belongs to. NVIDIA's
# runtime is linked into the plug-in, and its licence goes with it. Where a toolkit came without the
# text, what is printed says so and where it is; such a package is for oneself.
set -eu
root=$(dirname "$(readlink -f "$1")")/..
for f in "$root"/EULA.txt "$root"/doc/EULA.txt "$root"/dist-info/nvidia_cuda_runtime-*/licenses/License.txt \
    /usr/share/doc/nvidia-cuda-toolkit/copyright; do
    [ ! -f "$f" ] || {
        cat "$f"
        exit 0
    }
done
echo "$1 has no licence text beside it: put the CUDA Toolkit's there before this is given to others" >&2
cat <<'END'
End User License Agreement of the NVIDIA CUDA Toolkit. The toolkit of this build came without its text; NVIDIA
publishes it at https://docs.nvidia.com/cuda/eula/.
END
