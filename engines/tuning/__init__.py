# SPDX-License-Identifier: Apache-2.0
"""What runs a model fastest on this machine: measuring, and choosing by what was measured."""
