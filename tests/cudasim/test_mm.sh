#!/bin/sh
# SPDX-License-Identifier: MIT
# Products of packed matrices on the simulator: every case once, some of them under schedules drawn
# at random, and some with the memory checker.
set -e
plain=${top_builddir:-.}/tests/cudasim/plain/test_mm
race=${top_builddir:-.}/tests/cudasim/race/test_mm
if [ ! -x "$plain" ]; then
    echo "no simulator in this build"
    exit 77
fi
LD_LIBRARY_PATH=${top_builddir:-.}/tests/cudasim/plain${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH # of a library with the interface of cuBLAS
"$plain"
for seed in 1 2 3; do
    CUDASIM_SEED=$seed "$plain" quick
done
if [ -x "$race" ]; then
    "$race" quick
    CUDASIM_SEED=4 "$race" quick
fi
