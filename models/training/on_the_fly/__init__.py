# SPDX-License-Identifier: Apache-2.0
"""Training pictures drawn and rendered while the network trains, on its own device; nothing is written to disk."""
