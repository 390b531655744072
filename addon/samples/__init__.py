# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo and the tests look at: a small room, a capture of it with exact depth, and how that depth is rendered."""
