# SPDX-License-Identifier: Apache-2.0
"""The Unity side. Here: the wire protocol and its clients; `serving/`, `measuring/`, `captures/` beside them. The only shipped code that
imports ``zmq``."""
