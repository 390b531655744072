# SPDX-License-Identifier: Apache-2.0
"""Data: the model catalogue and the embedded model. (Training code lives in ``models/training`` and never runs at run time.)"""
