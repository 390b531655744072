# SPDX-License-Identifier: Apache-2.0
"""Furnished places for Blender's Cycles: sixty frozen evaluation scenes of true-to-life size, apart from all that training sees."""
