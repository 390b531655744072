# SPDX-License-Identifier: GPL-3.0-or-later
"""The Geometry Nodes groups, built in Python, and their inputs on an object's modifier."""
