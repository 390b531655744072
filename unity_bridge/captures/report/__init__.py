# SPDX-License-Identifier: Apache-2.0
"""A run over a capture as one HTML file: pictures, error plots and a table of all objects, with nothing fetched from anywhere."""

from .choose import urgency
from .frames import AccuracyNumbers, ReportAbout, ReportFrame, ReportPictures
from .write import MAX_PICTURES, write_report

__all__ = ["MAX_PICTURES", "AccuracyNumbers", "ReportAbout", "ReportFrame", "ReportPictures", "urgency", "write_report"]
