# SPDX-License-Identifier: Apache-2.0
"""Models measured on data sets with true depth: readers of the sets, errors, tables, a page."""
