# SPDX-License-Identifier: Apache-2.0
"""Folders of captured frames: read in their layouts, measured, compared with true depth, reported."""
