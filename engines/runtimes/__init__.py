# SPDX-License-Identifier: Apache-2.0
"""The libraries that run a network, behind one small interface (:mod:`.runtime`). Each is imported when it is asked for, never before."""
