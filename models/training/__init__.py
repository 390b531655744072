# SPDX-License-Identifier: Apache-2.0
"""How `depthbridge-mini` is made: scenes, pictures, network, training, export, evaluation. Never imported at run time."""
