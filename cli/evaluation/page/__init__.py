# SPDX-License-Identifier: Apache-2.0
"""The evaluation as one HTML file that fetches nothing: table, plots, and the pictures that went worst and best."""
