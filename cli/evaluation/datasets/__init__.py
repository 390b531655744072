# SPDX-License-Identifier: Apache-2.0
"""Data sets with true depth, each read as its owner distributes it. :func:`.opening.open_dataset` recognises the layout."""
