"""Forecasts drawn: fans, walks, calibration."""
