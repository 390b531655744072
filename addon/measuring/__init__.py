# SPDX-License-Identifier: GPL-3.0-or-later
"""True size: where a vertex lies as the sliders show it, which one the mouse means, and the scale that two of them give."""
