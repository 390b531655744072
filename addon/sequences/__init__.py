# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of frames and movies: one object that plays."""
