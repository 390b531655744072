# SPDX-License-Identifier: Apache-2.0
"""Distances of the objects of a mask: pixels, statistics, positions, and doubts about them. No sockets, no files."""
