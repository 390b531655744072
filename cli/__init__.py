# SPDX-License-Identifier: Apache-2.0
"""The ``depthbridge`` command: one file per sub-command, each importing what it needs when it runs."""
