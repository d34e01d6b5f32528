# SPDX-License-Identifier: MIT
# The manual. What it says is held against the programs' own tables by tests/docs.
dist_man_MANS = %D%/zorac.1 %D%/zorac-bench.1 %D%/zorac-inspect.1 %D%/zoracd.conf.5 \
  %D%/zorac-protocol.7 %D%/zoracd.8
