# SPDX-License-Identifier: MIT
# One archive per instruction set: its flags never leave it.
