# SPDX-License-Identifier: Apache-2.0
"""Depth maps as files: one module per format."""
